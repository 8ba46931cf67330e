"""The part of `rewardbot bench library` on grids: what each tabular method does after a few demonstrations.

The true reward is linear in 16 blocks of an 8 x 8 grid with some chance. What counts is the true value, as a share of the way from
acting at random (0) to the expert (1). A clone knows what was done in a state; a reward says what to do in the others too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rewardbot.tabular import (
    bayesian_irl,
    deep_maxent_irl,
    feature_matching,
    learning_from_learner,
    maxent_irl,
    sufficiency,
)
from rewardbot.tabular.demonstrations import Demonstrations, act, as_shown, choices, demonstrated
from rewardbot.tabular.mdp import MDP, Array, gridworld, occupancy, plan, uniform
from rewardbot.training.bench import BenchOptions, Cell, Report, Target

WORLD, SIDE = "8 x 8 grid", 8
EPISODES, STEPS = 10, 20
"""Demonstrations, and their length."""

LEARNER_EPISODES = 200
"""That are seen of a learner, before and after each of two improvements: so much more, because he is no expert."""

RATE, ROUNDS = 0.1, 60
"""Of multiplicative weights; of both rules of feature matching."""


@dataclass(frozen=True)
class Grid:
    """A grid, what is seen in it, what is wanted, and what was shown.

    Attributes:
        features: (S, F).
        truth: true reward, (S, A).
        expert: the best policy, (S, A).
        sampler: of Bayesian methods.
    """

    mdp: MDP
    features: Array
    truth: Array
    expert: Array
    shown: Demonstrations
    sampler: bayesian_irl.BayesianConfig
    deep: deep_maxent_irl.DeepMaxEntConfig
    seed: int

    def ask(self, state: int) -> Demonstrations:
        """What the expert does from that state."""
        return act(self.mdp, self.expert, 1, np.random.default_rng([self.seed, 1, state]), steps=STEPS, start=[state])


def make(seed: int, quick: bool) -> Grid:
    """The world of a seed."""
    rng = np.random.default_rng(seed)
    mdp = gridworld(SIDE, SIDE, slip=0.2, discount=0.9)
    row, column = np.divmod(np.arange(mdp.states), SIDE)
    features = np.eye(16)[row // 2 * 4 + column // 2]
    truth = mdp.rewards(features @ rng.normal(size=16))
    expert = plan(mdp, truth).policy
    sampler = bayesian_irl.BayesianConfig(seed=seed, **({"burn_in": 40, "steps": 80} if quick else {"burn_in": 500, "steps": 1000}))
    deep = deep_maxent_irl.DeepMaxEntConfig(seed=seed, **({"steps": 10} if quick else {}))
    return Grid(mdp, features, truth, expert, act(mdp, expert, EPISODES, rng, steps=STEPS), sampler, deep, seed)


def _of_reward(world: Grid, reward: Array) -> Array:
    """Visits of the plan for a reward that was found, (S, A)."""
    return occupancy(world.mdp, plan(world.mdp, reward).policy)


def _matched(world: Grid, rule: feature_matching.Rule) -> Array:
    shown = as_shown(world.mdp, world.shown)
    expert = feature_matching.feature_expectations(shown, world.features, demonstrated(shown, world.shown))
    found = feature_matching.match(shown, world.features, expert, rule, rounds=ROUNDS)
    # Judged from all states, not only from those in which the demonstrations began.
    return np.tensordot(found.shares, occupancy(world.mdp, found.policies), axes=1)


def _bc(world: Grid) -> Array:
    counts = choices(world.mdp, world.shown)
    best = (counts == counts.max(axis=1, keepdims=True)).astype(float)
    return occupancy(world.mdp, best / best.sum(axis=1, keepdims=True))


def _maxent(world: Grid) -> Array:
    shown = as_shown(world.mdp, world.shown)
    return _of_reward(world, maxent_irl.fit(shown, world.features, demonstrated(shown, world.shown)).reward)


def _deep(world: Grid) -> Array:
    shown = as_shown(world.mdp, world.shown)
    model = deep_maxent_irl.DeepMaxEnt(shown, world.features, world.deep)
    model.fit(demonstrated(shown, world.shown))
    return _of_reward(world, model.reward())


def _bayesian(world: Grid) -> Array:
    return occupancy(world.mdp, sufficiency.assess(world.mdp, world.features, world.shown, world.sampler).policy)


def _asked(world: Grid) -> Array:
    """As many demonstrations, but from the states that were asked about."""
    questions = sufficiency.until_sufficient(world.mdp, world.features, world.shown[:1], world.ask, world.sampler,
                                             sufficiency.SufficiencyConfig(enough=0.0))
    *_, last = (found for found, _ in zip(questions, range(EPISODES), strict=False))
    return occupancy(world.mdp, last.policy)


def _learner(world: Grid) -> Array:
    rng, temperature = np.random.default_rng([world.seed, 2]), 0.5
    policies = [uniform(world.mdp)]
    for _ in range(2):
        policies.append(learning_from_learner.improve(world.mdp, policies[-1], world.truth, temperature))
    counts = np.stack([choices(world.mdp, act(world.mdp, one, LEARNER_EPISODES, rng, steps=STEPS)) for one in policies])
    seen = learning_from_learner.observed_policy(counts)
    steps = np.stack([learning_from_learner.reward(world.mdp, seen[index], seen[index + 1], temperature) for index in range(2)])
    found = learning_from_learner.without_shaping(world.mdp, steps, world.features, np.sqrt(counts[1:] * counts[:-1]))
    return _of_reward(world, world.mdp.rewards(world.features @ found))


METHODS: dict[str, Callable[[Grid], Array]] = {
    "expert": lambda world: occupancy(world.mdp, world.expert),
    "random": lambda world: occupancy(world.mdp, uniform(world.mdp)),
    "bc": _bc,
    "feature_matching, projection": lambda world: _matched(world, feature_matching.Projection()),
    "feature_matching, multiplicative weights": lambda world: _matched(world, feature_matching.MultiplicativeWeights(RATE)),
    "maxent_irl": _maxent,
    "deep_maxent_irl": _deep,
    "bayesian_irl": _bayesian,
    "sufficiency, asked": _asked,
    "learning_from_learner": _learner,
}


def tabular(seeds: Sequence[int], options: BenchOptions, report: Report) -> tuple[list[dict[str, Cell]], list[Target]]:
    """Rows of this part, for which nothing was promised.

    Args:
        seeds: of the worlds.
        options: of the comparison.
        report: told the share of this part that is done.
    """
    rows: list[dict[str, Cell]] = []
    for number, seed in enumerate(seeds):
        world, values = make(seed, options.quick), dict[str, float]()
        for index, (method, learn) in enumerate(METHODS.items()):
            report((number + index / len(METHODS)) / len(seeds), f"{WORLD}, seed {seed}: {method}")
            values[method] = float((learn(world) * world.truth).sum())
        span = values["expert"] - values["random"]
        rows += [{"world": WORLD, "seed": seed, "method": method, "true value": value,
                  "share of the expert": (value - values["random"]) / span} for method, value in values.items()]
    report(1.0, f"{WORLD}: done")
    return rows, []
