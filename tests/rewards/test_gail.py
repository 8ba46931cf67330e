"""GAIL on a table, where the occupancy is known, and each head's sign."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch

from rewardbot.bench._tabular_generator import TabularGenerator, every_step, sample
from rewardbot.errors import ConfigError
from rewardbot.rewards.discriminator import DiscriminatorConfig, Head, check_horizon, head
from rewardbot.rewards.gail import GAIL, GAILConfig
from rewardbot.tabular.mdp import gridworld, occupancy, plan, uniform

MDP = gridworld(4, 4, slip=0.1, discount=0.9, start=[0])
TABLE = DiscriminatorConfig(hidden=32, dropout=0.0, noise=0.0, smoothing=0.0, mixup=False)
HEADS: tuple[Head, ...] = ("positive", "negative", "log_odds")


def imitate(expert: np.ndarray, head: Head, rounds: int = 40) -> tuple[float, float]:
    """Largest difference of the occupancies, and |D - 1/2| on average where either goes, after two thousand expert steps."""
    rng, share = np.random.default_rng(0), occupancy(MDP, expert)
    share /= share.sum()
    shown = sample(MDP, share, 2000, rng)
    torch.manual_seed(0)
    model = GAIL(GAILConfig(head=head, penalty=0.0, rate=5e-3, discriminator=TABLE), shown)
    generator, table = TabularGenerator(MDP, rate=0.3), every_step(MDP)
    for _ in range(rounds):
        visited = generator.sample(2000, rng)
        for _ in range(8):
            model.step(shown, visited)
        generator.improve(model.reward(table).double().numpy().reshape(MDP.states, MDP.actions), entropy=False)
    found = generator.occupancy()
    d = model.probability(table).numpy().reshape(found.shape)
    return float(np.abs(found - share).max()), float((np.abs(d - 0.5) * (found + share) / 2).sum())


@pytest.mark.parametrize("head", HEADS)
def test_d_tends_to_a_half_and_the_occupancy_to_the_experts(head: Head) -> None:
    """The expert is soft: it wants to be in the far corner, and has entropy."""
    reward = np.zeros((MDP.states, MDP.actions))
    reward[-1] = 1.0
    apart, off = imitate(plan(MDP, reward, temperature=0.3).policy, head)
    assert apart < 0.05 and off < 0.1


def test_an_expert_that_is_random_is_imitated_too() -> None:
    apart, off = imitate(uniform(MDP), "log_odds", rounds=30)
    assert apart < 0.05 and off < 0.1


def test_the_sign_of_each_head() -> None:
    """-log(1 - D) >= 0, log D <= 0, and their sum, which is 0 at D = 1/2."""
    logit = torch.tensor([-200.0, -1.0, 0.0, 1.0, 200.0])
    positive, negative, log_odds = (head(logit, name) for name in HEADS)
    assert bool((positive >= 0.0).all()) and bool((negative <= 0.0).all())
    torch.testing.assert_close(positive + negative, log_odds)
    torch.testing.assert_close(positive[1:4], -torch.log1p(-torch.sigmoid(logit[1:4])))
    torch.testing.assert_close(negative[1:4], torch.log(torch.sigmoid(logit[1:4])))
    assert bool(torch.isfinite(torch.stack([positive, negative, log_odds])).all())


def test_a_head_that_needs_a_fixed_horizon_says_so() -> None:
    with pytest.raises(ConfigError, match=r"'positive' needs episodes of one length.*rewards staying alive(.|\n)*log_odds"):
        check_horizon("positive")
    with pytest.raises(ConfigError, match=r"'negative'.*never positive and rewards ending early"):
        check_horizon("negative")
    check_horizon("log_odds")


def test_it_sees_no_log_pi() -> None:
    """Neither is there a way to give it, nor does the reward of a step depend on who took it."""
    assert "log_pi" not in inspect.signature(GAIL).parameters and not hasattr(GAIL, "log_pi")


def test_other_parts_are_refused() -> None:
    with pytest.raises(ConfigError, match="no part of a transition named 'features'"):
        GAIL(GAILConfig(sees=("features",)), every_step(MDP))
