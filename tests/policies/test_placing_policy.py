"""Who brings a thing to a place: what it remembers, what it reckons, and what it does when it has lost it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from rewardbot.data.replay import Replay
from rewardbot.nets.places import UNIT_M
from rewardbot.policies.placing import Placing, PlacingConfig
from rewardbot.policies.placing_policy import LOST, Memory, PlacingPolicy
from rewardbot.policies.trail import Trail

SURE = math.log(0.003 / UNIT_M)
UNSURE = math.log(0.05 / UNIT_M)


def policy_of(**config: float) -> PlacingPolicy:
    settings = PlacingConfig(members=2, hidden=8, **config)  # type: ignore[arg-type]
    return Placing(settings, 4, (-0.3, -0.3, 0.0), (0.3, 0.3, 0.2), 0.04).actor


def seen(place: tuple[float, float], spread: float = SURE) -> torch.Tensor:
    return torch.tensor([[*place, spread]], dtype=torch.float32)


def test_who_acts_remembers_what_the_replay_does() -> None:
    policy = policy_of()
    places = [((7.0, 7.0), UNSURE), ((0.0, 0.0), SURE), ((9.0, 9.0), UNSURE), ((1.0, 1.0), SURE), ((8.0, 8.0), UNSURE)]
    replay = Replay(10, features=3, proprio=4, actions=4)
    replay.put("e", {"features": torch.cat([seen(*place) for place in places]), "proprio": torch.zeros(5, 4),
                     "actions": torch.zeros(5, 4), "continues": torch.ones(5)})
    trail = Trail(replay, float(policy.sure))  # type: ignore[arg-type]
    trail.follow()
    memory: Memory | None = None
    kept = []
    for place in places:
        memory = policy.look(seen(*place), torch.zeros(4), memory)
        kept.append(memory.places)
    torch.testing.assert_close(torch.cat(kept)[:, :2], trail.places[:5])
    assert torch.equal(torch.cat(kept)[:, 2], trail.replay.features[:5, 2]), "and it is known what is hidden"


def test_what_is_hidden_is_where_it_should_be() -> None:
    """A hand that has pushed a thing out of sight knows about how far."""
    policy = policy_of()
    with torch.no_grad():
        policy.motion.weights[2].zero_()
        policy.motion.biases[2][..., 4] = 0.3
    generator, hand = torch.Generator().manual_seed(0), torch.tensor([0.0, 0.0, 0.0, 0.0])
    _, memory = policy.act(seen((0.0, 0.0)), hand, None, generator)
    for steps in (1, 2):
        _, memory = policy.act(seen((5.0, 5.0), UNSURE), hand, memory, generator)
        assert memory.places[0].tolist() == pytest.approx([0.3 * steps, 0.0, UNSURE])
    _, memory = policy.act(seen((0.2, 0.0)), hand, memory, generator)
    assert memory.places[0, :2].tolist() == pytest.approx([0.2, 0.0])


def test_who_has_lost_the_thing_goes_back_to_where_it_began() -> None:
    policy, generator = policy_of(), torch.Generator().manual_seed(0)
    _, memory = policy.act(seen((0.0, 0.0)), torch.zeros(4), None, generator)
    away = torch.tensor([-0.2, 0.1, 0.0, 0.0])  # below nothing, so that it need not go up first
    for _ in range(LOST):
        _, memory = policy.act(seen((0.0, 0.0), UNSURE), away, memory, generator)
        assert memory.plans is not None
    action, memory = policy.act(seen((0.0, 0.0), UNSURE), away, memory, generator)
    assert action.tolist() == pytest.approx([1.0, -0.5, 0.0, -1.0])
    _, memory = policy.act(seen((0.0, 0.0)), away, memory, generator)
    assert memory.hidden == 0 and memory.plans is not None, "and plans again once it is seen"


def test_who_explores_trembles_and_stays_within_an_action() -> None:
    policy = policy_of(tremor=0.5)

    def first(explore: bool) -> np.ndarray:
        generator = torch.Generator().manual_seed(0)
        return policy.act(seen((0.0, 0.0)), torch.zeros(4), None, generator, explore=explore)[0]

    assert np.array_equal(first(False), first(False)) and not np.array_equal(first(False), first(True))
    assert float(np.abs(first(True)).max()) <= 1.0
