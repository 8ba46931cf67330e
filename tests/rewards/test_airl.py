"""AIRL on a table: its parts by hand, a reward that is found up to a constant, and one that transfers where GAIL's does not."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from torch import Tensor

from rewardbot.data.transitions import Transitions
from rewardbot.rewards.airl import AIRL, AIRLConfig
from rewardbot.rewards.discriminator import DiscriminatorConfig
from rewardbot.rewards.gail import GAIL, GAILConfig
from rewardbot.tabular.mdp import MDP, Array, evaluate, gridworld, occupancy, plan
from tests.rewards.tabular_generator import TabularGenerator, every_step, sample

TABLE = DiscriminatorConfig(hidden=32, dropout=0.0, noise=0.0, smoothing=0.0, mixup=False)
HERE = gridworld(3, 3, slip=0.0, discount=0.9)
"""Deterministic, and every state can be reached from every other: under these two the paper's theorem holds."""

TRUE = np.zeros(HERE.states)
TRUE[8], TRUE[4] = 1.0, -1.0


def expert() -> Array:
    return plan(HERE, HERE.rewards(TRUE), temperature=1.0).policy


@cache
def learned() -> tuple[AIRL, GAIL, TabularGenerator]:
    rng, share = np.random.default_rng(0), occupancy(HERE, expert())
    shown = sample(HERE, share / share.sum(), 4000, rng)
    torch.manual_seed(0)
    generator, other, table = TabularGenerator(HERE, rate=0.5), TabularGenerator(HERE, rate=0.5), every_step(HERE)
    airl = AIRL(AIRLConfig(penalty=0.0, rate=5e-3, discriminator=TABLE), shown, generator.log_pi, discount=0.9, soft=True)
    gail = GAIL(GAILConfig(penalty=0.0, rate=5e-3, discriminator=TABLE), shown)
    for _ in range(80):
        for model, policy in ((airl, generator), (gail, other)):
            visited = policy.sample(1000, rng)
            for _ in range(10):
                model.step(Transitions(shown.rows[torch.randint(4000, (1000,))], *sizes(shown)), visited)
            policy.improve(model.reward(table).double().numpy().reshape(HERE.states, HERE.actions), entropy=model is airl)
    return airl, gail, generator


def sizes(batch: Transitions) -> tuple[int, int]:
    return batch.states, batch.actions


def of_states(model: AIRL) -> Array:
    """g of each state, (S,)."""
    return model.transferable(every_step(HERE)).double().numpy().reshape(HERE.states, HERE.actions)[:, 0]


@pytest.mark.parametrize("soft", [True, False])
def test_its_parts_by_hand(soft: bool) -> None:
    """g = 3, h(s) = 10, h(s') = 20, gamma 0.9, log pi = -2: f = 3 + 18 - 10 = 11, at a true end -7; less log pi 13 and -5."""
    steps = Transitions(torch.tensor([[10.0, 0.5, 0.0, 1.0, 20.0], [10.0, 0.5, 0.0, 0.0, 20.0]]), 1, 1)
    model = AIRL(AIRLConfig(), steps, lambda batch: torch.full((2,), -2.0), discount=0.9, soft=soft)

    class Told(torch.nn.Module):
        def __init__(self, value: float | None) -> None:
            super().__init__()
            self.value = value

        def forward(self, x: Tensor) -> Tensor:
            return x[:, 0] if self.value is None else torch.full((len(x),), self.value)

    model.g, model.h = Told(3.0), Told(None)  # type: ignore[assignment]
    assert model.f(steps).tolist() == pytest.approx([11.0, -7.0])
    assert model.logit(steps).tolist() == pytest.approx([13.0, -5.0])
    assert model.reward(steps).tolist() == pytest.approx([11.0, -7.0] if soft else [13.0, -5.0])
    assert model.probability(steps).tolist() == pytest.approx(torch.sigmoid(torch.tensor([13.0, -5.0])).tolist())


def test_the_policy_becomes_the_experts() -> None:
    _, _, generator = learned()
    share = occupancy(HERE, expert())
    assert np.abs(generator.occupancy() - share / share.sum()).max() < 0.05


def test_a_state_only_reward_is_found_up_to_a_constant() -> None:
    found = of_states(learned()[0])
    assert np.corrcoef(found, TRUE)[0, 1] > 0.95
    scale = np.polyfit(TRUE, found, 1)[0]
    assert scale == pytest.approx(1.0, abs=0.35), "its scale is right too: the expert's entropy tells it"


def changed() -> MDP:
    """The same grid, in which each action leads where its opposite did."""
    blocks = HERE.transitions.toarray().reshape(HERE.actions, HERE.states, HERE.states)
    return MDP(csr_array(blocks[[2, 3, 0, 1]].reshape(-1, HERE.states)), discount=0.9)


def test_its_reward_transfers_to_changed_dynamics_and_gails_does_not() -> None:
    """Planned for from scratch in the changed grid, and worth what it truly is. GAIL's D liked actions, which now lead elsewhere."""
    airl, gail, _ = learned()
    there = changed()
    rewards = {"airl": there.rewards(of_states(airl)), "true": there.rewards(TRUE),
               "gail": gail.reward(every_step(HERE)).double().numpy().reshape(HERE.states, HERE.actions)}
    worth = {name: float(there.start @ evaluate(there, plan(there, reward).policy, there.rewards(TRUE)))
             for name, reward in rewards.items()}
    assert worth["airl"] > 0.9 * worth["true"] > 0.0
    assert worth["gail"] < 0.5 * worth["true"]
