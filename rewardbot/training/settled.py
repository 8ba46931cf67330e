"""Rewards that are there before a policy learns from them, found from demonstrations:

    relative_entropy_irl   what the demonstrations have and episodes of random actions have not
    perturbation_irl       what parts of the demonstrations have and the same actions with noise, from the same state, have not
    t_rex                  what a better demonstration has more of than a worse one
    b_rex                  the same, on the features that T-REX found: the mean of all weights that explain the order
    d_rex                  T-REX on what a clone of the demonstrations does with more and with less noise
    goal_classifier        where the demonstrations end and do not begin

Whichever it is, the policy gets it with a spread of 1 over the steps that it was found from, since none of them knows its unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rewardbot.config import setting
from rewardbot.data.state_demonstrations import StateDemonstrations, StateEpisode
from rewardbot.data.transitions import Transitions
from rewardbot.errors import ConfigError, DataError, unknown_name
from rewardbot.feedback.feedback import Given, Ranking, dense
from rewardbot.policies.bc import BCConfig, StateCloning
from rewardbot.rewards.b_rex import BayesianRex, BRexConfig
from rewardbot.rewards.base import Context
from rewardbot.rewards.comparisons import inputs
from rewardbot.rewards.d_rex import DRexConfig, noisy, plan, rank
from rewardbot.rewards.goal_states import GoalStates, GoalStatesConfig
from rewardbot.rewards.perturbation_irl import PerturbationConfig, PerturbationIRL
from rewardbot.rewards.relative_entropy_irl import LinearConfig, RelativeEntropyIRL
from rewardbot.rewards.t_rex import TRex, TRexConfig
from rewardbot.training.shown import check_ranked
from rewardbot.training.state_loop import Env, name_of, start_seeds
from rewardbot.training.visiting import visit
from rewardbot.types import Metrics, Segment

SEES = ("next_state",)
"""What rewards from rankings look at: where the robot comes to."""

RANKED_BY = "return"
"""Who ranked demonstrations: a simulated person, who knows the true return."""


@dataclass(frozen=True)
class SettledRewardConfig:
    """How they are found."""

    relative_entropy_irl: LinearConfig = setting(LinearConfig(l1=0.01), "of relative-entropy IRL")
    perturbation_irl: PerturbationConfig = setting(PerturbationConfig(), "of perturbation IRL")
    t_rex: TRexConfig = setting(TRexConfig(sees=SEES), "of T-REX, and of the other rewards from rankings")
    b_rex: BRexConfig = setting(BRexConfig(sees=SEES), "of Bayesian REX")
    d_rex: DRexConfig = setting(DRexConfig(), "d_rex: episodes with noise")
    goal_classifier: GoalStatesConfig = setting(GoalStatesConfig(), "of the goal classifier")
    cloning: BCConfig = setting(BCConfig(steps=2000, dropout=0.0, proprio_noise=0.0), "d_rex: of the clone")
    episodes: int = setting(100, "relative_entropy_irl: episodes of random actions", min=2)
    clips: int = setting(4, "perturbation_irl: clips of each demonstration", min=1)
    clip: int = setting(10, "perturbation_irl: longest clip [steps]", min=1)
    perturbed: int = setting(10, "perturbation_irl: the same with noise, for each clip", min=1)
    noise: float = setting(0.3, "perturbation_irl: standard deviation of the noise on an action in [-1, 1]", min=0.001)
    longest: int = setting(1_000, "longest episode [steps]", min=1)


class RewardOfSteps(Protocol):
    """A learned reward of state vectors."""

    def reward(self, batch: Transitions) -> Tensor:
        """(N,), without gradient."""
        ...


@dataclass(frozen=True)
class Settled:
    """A reward that was found.

    Attributes:
        metrics: of its fit.
    """

    model: RewardOfSteps
    spread: float
    metrics: Metrics

    def reward(self, batch: Transitions) -> Tensor:
        """(N,), without gradient."""
        return self.model.reward(batch) / self.spread


def find(name: str, config: SettledRewardConfig, shown: StateDemonstrations, env: Env, *, seed: int = 0) -> Settled:
    """Finds a reward; the same from the same seed.

    Args:
        name: see the module.
        shown: demonstrations of `env`.
        env: to act in, for those that do; its episode is another one afterwards.

    Raises:
        ConfigError: unknown name, or a part of a transition that there is not.
        DataError: demonstrations that say nothing: of one rank, or that do not begin where their seeds do; a reward that is the same
            everywhere, or not finite.

    Warns:
        FewEffectiveSamples: see `partition.report_sample_size`.
    """
    if name not in _FOUND:
        raise unknown_name("reward that is found before a policy learns", name, _FOUND)
    torch.manual_seed(seed)
    model, seen, metrics = _FOUND[name](config, shown, env, seed)
    spread = float(model.reward(seen).std())
    if not np.isfinite(spread) or spread < 1e-8:
        raise DataError(f"The reward that '{name}' found is the same for all steps, or not finite.",
                        next_step="Give other demonstrations, or lower its weight of |w|_1, if it has one.")
    return Settled(model, spread, metrics)


Found = tuple[RewardOfSteps, Transitions, Metrics]
"""The reward, the steps that it was found from, and metrics."""


def _relative_entropy(config: SettledRewardConfig, shown: StateDemonstrations, env: Env, seed: int) -> Found:
    draw, size = np.random.default_rng(seed), shown.sizes[1]

    def at_random(state: NDArray[np.float32]) -> NDArray[np.float32]:
        return draw.uniform(-1.0, 1.0, size).astype(np.float32)

    expert = [episode.transitions() for episode in shown.episodes]
    visited = [visit(env, at_random, start, longest=config.longest).transitions() for start in start_seeds(seed, config.episodes)]
    model = RelativeEntropyIRL(config.relative_entropy_irl, shown.transitions())
    metrics = model.fit(expert, visited)
    return model, _joined([*expert, *visited]), metrics


def _perturbation(config: SettledRewardConfig, shown: StateDemonstrations, env: Env, seed: int) -> Found:
    """Noise is added for the steps of a clip alone: over a whole episode it would lead anywhere, and no sample would count."""
    draw = np.random.default_rng(seed)

    def with_noise(episode: StateEpisode, first: int, steps: int) -> Transitions:
        """The clip, done again from the episode's start with noise from its first step on."""
        actions = episode.actions[: first + steps].copy()
        actions[first:] += config.noise * draw.standard_normal(actions[first:].shape)
        following = iter(actions)
        again = visit(env, lambda state: next(following), episode.seed, longest=len(actions))
        before, meant = again.states[: first + 1], episode.states[: first + 1]
        if before.shape != meant.shape or not np.allclose(before, meant, atol=1e-3):
            raise DataError(f"{name_of(env)} does not go again as in a demonstration, from its seed and with its actions.",
                            valid="Perturbation IRL adds noise to the actions from a step of a demonstration on.",
                            next_step="Use relative_entropy_irl, or demonstrations of `rewardbot eval RUN --demos FILE`; of the arm "
                                      "also --demos N.")
        return _steps(again.transitions(), first, first + steps)

    clips: list[tuple[StateEpisode, int, int]] = []
    for episode in shown.episodes:
        steps = min(config.clip, len(episode.actions))
        clips += [(episode, int(first), steps) for first in draw.integers(len(episode.actions) - steps + 1, size=config.clips)]
    expert = [_steps(episode.transitions(), first, first + steps) for episode, first, steps in clips]
    perturbed = [[with_noise(*clip) for _ in range(config.perturbed)] for clip in clips]
    model = PerturbationIRL(config.perturbation_irl, shown.transitions())
    metrics = model.fit(expert, perturbed)
    return model, _joined([*expert, *(one for some in perturbed for one in some)]), metrics


def _t_rex(config: SettledRewardConfig, shown: StateDemonstrations, env: Env, seed: int) -> Found:
    rankings, context = _ranked(shown)
    model, metrics = _fitted(config.t_rex, rankings, context, shown.transitions(), seed)
    return model, shown.transitions(), metrics


def _b_rex(config: SettledRewardConfig, shown: StateDemonstrations, env: Env, seed: int) -> Found:
    rankings, context = _ranked(shown)
    if config.b_rex.sees != config.t_rex.sees:
        raise ConfigError(f"b_rex sees {', '.join(config.b_rex.sees)}, and the features that T-REX finds are of "
                          f"{', '.join(config.t_rex.sees)}.", valid="The same.")
    found, _ = _fitted(replace(config.t_rex, members=1), rankings, context, shown.transitions(), seed)
    model = BayesianRex(config.b_rex, lambda seen: found.network.hidden(seen)[0].detach(), seed=seed)
    return model, shown.transitions(), model.fit(rankings, context)


def _d_rex(config: SettledRewardConfig, shown: StateDemonstrations, env: Env, seed: int) -> Found:
    act, levels, draw = clone(shown, config.cloning, seed).act, plan(config.d_rex), np.random.default_rng(seed)
    made = [visit(env, noisy(act, level, draw), start, longest=config.longest)
            for level, start in zip(levels, start_seeds(seed, len(levels)), strict=True)]
    clips, context = _clips(made)
    steps = _joined([episode.transitions() for episode in made])
    model, metrics = _fitted(config.t_rex, rank(list(zip(clips, levels, strict=True))), context, steps, seed)
    return model, steps, metrics


def _goal(config: SettledRewardConfig, shown: StateDemonstrations, env: Env, seed: int) -> Found:
    model = GoalStates(config.goal_classifier, [torch.from_numpy(one.states) for one in shown.episodes], seed=seed)
    steps = shown.transitions()
    return model, steps, {"level": float(model.level)}


_FOUND = {"relative_entropy_irl": _relative_entropy, "perturbation_irl": _perturbation, "t_rex": _t_rex, "b_rex": _b_rex,
          "d_rex": _d_rex, "goal_classifier": _goal}


def clone(shown: StateDemonstrations, config: BCConfig, seed: int, weights: Tensor | None = None) -> StateCloning:
    """Behaviour cloning of demonstrations whose steps have `weights` (N,), or all alike."""
    torch.manual_seed(seed)
    steps = shown.transitions()
    cloning = StateCloning(config, *shown.sizes)
    cloning.fit(steps.state, steps.state_action[:, steps.states :], weights, torch.Generator().manual_seed(seed))
    return cloning


def _fitted(
    config: TRexConfig, rankings: Sequence[Ranking], context: Context, steps: Transitions, seed: int
) -> tuple[TRex, Metrics]:
    model = TRex(config, inputs(steps, config.sees).shape[1], seed=seed)
    return model, model.fit(rankings, context)


def _ranked(shown: StateDemonstrations) -> tuple[list[Ranking], Context]:
    """The order of the demonstrations as a simulated person tells it, who knows their returns; see `check_ranked`."""
    check_ranked(shown)
    clips, context = _clips(shown.episodes)
    return [Ranking(tuple(clips), dense([-value for value in shown.returns]), Given(RANKED_BY))], context


def _clips(episodes: Sequence[StateEpisode]) -> tuple[list[Segment], Context]:
    """Whole episodes as clips, and where their steps are."""
    steps: Mapping[str, Transitions] = {f"episode-{number}": one.transitions() for number, one in enumerate(episodes)}

    def look_up(clip: Segment) -> Transitions:
        return _steps(steps[clip.episode_id], clip.start, clip.stop)

    return [Segment(name, 0, len(found.rows)) for name, found in steps.items()], Context(look_up)


def _steps(of: Transitions, start: int, stop: int) -> Transitions:
    return Transitions(of.rows[start:stop], of.states, of.actions)


def _joined(episodes: Iterable[Transitions]) -> Transitions:
    of = list(episodes)
    return Transitions(torch.cat([one.rows for one in of]), of[0].states, of[0].actions)
