"""The state-entropy reward: neighbours by hand, entropies that are known, and an explorer that covers more with it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from rewardbot.data.replay import Batch
from rewardbot.errors import ConfigError, DataError
from rewardbot.rewards.pebble import PEBBLE, StateEntropy, StateEntropyConfig, distance_to_neighbour, entropy

CONFIG = StateEntropyConfig(sees=("next_features",), neighbours=3)


def batch_of(states: Tensor) -> Batch:
    n, none = len(states), torch.zeros(len(states), 0)
    return Batch(torch.zeros_like(states), states, none, none, torch.zeros(n, 1), torch.ones(n), torch.arange(n))


def test_neighbours_by_hand() -> None:
    particles = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    assert distance_to_neighbour(torch.tensor([[0.5], [10.0]]), particles, 2).tolist() == [0.5, 7.0]
    assert distance_to_neighbour(particles, particles, 1).tolist() == [1.0, 1.0, 2.0, 4.0], "not itself"
    assert distance_to_neighbour(particles, particles, 2).tolist() == [3.0, 2.0, 3.0, 6.0]


@pytest.mark.parametrize("scale", [0.5, 3.0])
@pytest.mark.parametrize("k", [1, 5])
def test_the_entropy_of_known_distributions(scale: float, k: int) -> None:
    draw = torch.Generator().manual_seed(0)
    normal = scale * torch.randn(2000, 2, generator=draw)
    assert entropy(normal, k) == pytest.approx(math.log(2 * math.pi * math.e) + 2 * math.log(scale), abs=0.1)
    box = scale * torch.rand(2000, 3, generator=draw)
    assert entropy(box, k) == pytest.approx(3 * math.log(scale), abs=0.15)


def test_the_reward_is_larger_where_nobody_was() -> None:
    draw = torch.Generator().manual_seed(0)
    visited = torch.randn(500, 2, generator=draw) * torch.tensor([1.0, 1e-2]) + 5.0
    model = StateEntropy(CONFIG)
    model.fit(visited)
    centre, edge, far = (float(model.reward(batch_of(visited.mean(0, keepdim=True) + torch.tensor([[x, 0.0]])))) for x in (0, 2, 6))
    assert 0.0 <= centre < edge < far
    across = float(model.reward(batch_of(visited.mean(0, keepdim=True) + torch.tensor([[0.0, 6e-2]]))))
    assert across == pytest.approx(far, rel=0.25), "each number counts in its own spread"
    assert not model.reward(batch_of(visited)).requires_grad and model.samples(batch_of(visited)).shape == (1, 500)


def test_its_spread_over_visited_states_is_one() -> None:
    visited = torch.randn(500, 4, generator=torch.Generator().manual_seed(0))
    model = StateEntropy(CONFIG)
    model.fit(visited)
    assert float(model.reward(batch_of(visited)).std()) == pytest.approx(1.0, abs=1e-4) and model.version == 1


def test_a_state_visited_over_and_over_is_worth_nothing() -> None:
    visited = torch.cat([torch.zeros(50, 2), torch.randn(50, 2, generator=torch.Generator().manual_seed(0))])
    model = StateEntropy(CONFIG)
    model.fit(visited)
    assert float(model.reward(batch_of(torch.zeros(1, 2)))) == 0.0


def test_only_so_many_states_are_compared_with() -> None:
    visited = torch.randn(300, 2, generator=torch.Generator().manual_seed(0))
    few, again = (StateEntropy(StateEntropyConfig(sees=("next_features",), particles=50), seed=1) for _ in range(2))
    all_of_them = StateEntropy(StateEntropyConfig(sees=("next_features",)), seed=1)
    for model in (few, again, all_of_them):
        model.fit(visited)
    batch = batch_of(visited)
    assert torch.equal(few.reward(batch), again.reward(batch)) and not torch.equal(few.reward(batch), all_of_them.reward(batch))


def test_without_states_there_is_no_reward() -> None:
    model = StateEntropy(CONFIG)
    with pytest.raises(DataError, match=r"no visited states(.|\n)*fit"):
        model.reward(batch_of(torch.zeros(2, 2)))
    with pytest.raises(DataError, match=r"3 visited states have no 3-th neighbour(.|\n)*At least 4"):
        model.fit(torch.randn(3, 2))
    model.fit(torch.randn(4, 2))
    with pytest.raises(ConfigError, match="named 'next_features'"):
        model.reward(object())  # type: ignore[arg-type]


def covered(novelty: bool, seed: int, steps: int = 300) -> int:
    """Cells of a room that a walker enters; with novelty it takes the one of eight random steps that promises most of it."""
    draw = torch.Generator().manual_seed(seed)
    model, visited = StateEntropy(CONFIG), [torch.full((2,), 0.5)]
    for step in range(steps):
        options = (visited[-1] + 0.1 * torch.randn(8, 2, generator=draw)).clamp(0.0, 1.0)
        choice = 0
        if novelty and step > 10:
            model.fit(torch.stack(visited))
            choice = int(model.reward(batch_of(options)).argmax())
        visited.append(options[choice])
    return len({tuple(cell) for cell in (torch.stack(visited) * 9.999).long().tolist()})


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_an_explorer_covers_more_with_it(seed: int) -> None:
    assert covered(True, seed) > 1.2 * covered(False, seed)


def test_pebbles_reward_is_the_papers() -> None:
    assert (PEBBLE.members, PEBBLE.layers, PEBBLE.hidden, PEBBLE.rate) == (3, 3, 256, 3e-4)
    assert PEBBLE.bounded and not PEBBLE.normalise
