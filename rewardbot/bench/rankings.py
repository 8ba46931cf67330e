"""A policy that is better than everything it was shown: T-REX from 12 ranked demonstrations and D-REX from noise on HalfCheetah,
beside behaviour cloning on the same data, by true return.

The demonstrator is soft actor-critic on the true reward, stopped once it runs. T-REX gets demonstrations of stages of its training
and who was better; D-REX gets 12 of its best stage and nothing else, clones them, and ranks the clone's episodes by their noise. Both
learn from states only; the policies then learn from the found reward alone, half of each batch from the same demonstrations, so that
they know of running before they find out how to lie well. What is done is kept in the run folder.

HalfCheetah never falls and is always cut off after 1000 steps. On Hopper, which ends when it falls, a learner that sees the end, or
only how long a demonstration is, has been told most of the true reward.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import torch
from torch import Tensor

from rewardbot.bench._demonstrators import Demonstrations, demonstrations, rollout
from rewardbot.bench._kept import Kept
from rewardbot.bench._pace import seconds_per_step, with_time_left
from rewardbot.data.transitions import Transitions
from rewardbot.feedback.feedback import Ranking, dense
from rewardbot.policies.bc import BCConfig, StateCloning
from rewardbot.policies.sac import SACConfig
from rewardbot.rewards.b_rex import BayesianRex, BRexConfig
from rewardbot.rewards.base import Context
from rewardbot.rewards.d_rex import DRexConfig, noisy, plan, rank
from rewardbot.rewards.t_rex import TRex, TRexConfig
from rewardbot.training.bench import BenchOptions, BenchResult, Cell, Report, Target
from rewardbot.training.state_loop import Act, Env, StateLoop, StateLoopConfig, evaluate, make_env, start_seeds
from rewardbot.types import Segment

ENVIRONMENT = "HalfCheetah-v5"
SEEDS = (0, 1, 2)
COUNT = 12
"""Demonstrations."""

MARGIN = 1.5
"""Times the true return of the best demonstration."""

SPEED = 8
"""Place of the forward speed in a state."""

UNSURE = "times as unsure of glare"

Tell = Callable[[float, str], object]


@dataclass(frozen=True)
class Size:
    """How much of what.

    Attributes:
        shown: how the demonstrator learns, at most.
        enough: true return with which it learns no more.
        learned: how the policies learn.
        cloned: behaviour cloning.
        noise: D-REX's episodes.
        reward: T-REX, on demonstrations and on these episodes.
        judged: episodes of each true return.
    """

    shown: StateLoopConfig
    enough: float
    learned: StateLoopConfig
    cloned: BCConfig
    noise: DRexConfig
    reward: TRexConfig
    judged: int = 10


SEES = ("next_state",)
SAC = SACConfig(batch=128, hidden=128, rate=1e-3)
# A demonstrator of half the return lies on its back and slides: then what sets its clone apart from chance is how it lies, and a
# policy that learns from noise turns over and is content. The usual noise on a clone's states topples it, and a clone that has
# fallen does no worse with more noise: then D-REX's ranking says nothing.
# The reward is linear and has little weight. Left alone it becomes sure which episode is better by whatever small difference tells
# them apart, such as a posture or how each step twitches; nothing is then much better than to hold that. With little weight each
# number counts as much as its mean differs, which for speed is most, and goes on counting beyond what was shown, but not for ever:
# each somersault adds a whole turn to the robot's pitch.
FULL = Size(
    shown=StateLoopConfig(steps=40_000, sac=SAC), enough=1000.0, learned=StateLoopConfig(steps=40_000, shown=0.5, sac=SAC),
    cloned=BCConfig(steps=5000, batch=128, proprio_noise=0.0), noise=DRexConfig(),
    reward=TRexConfig(sees=SEES, layers=0, ridge=100.0, clip=3.0))
TINY = SACConfig(batch=8, hidden=8)
QUICK = Size(
    shown=StateLoopConfig(steps=240, start_steps=20, longest=20, sac=TINY), enough=-math.inf,
    learned=StateLoopConfig(steps=60, start_steps=20, longest=20, shown=0.5, sac=TINY), cloned=BCConfig(steps=5, hidden=8),
    noise=DRexConfig((0.0, 1.0), 1), reward=TRexConfig(sees=SEES, layers=0, steps=5, shortest=2, longest=5), judged=1)


def run(options: BenchOptions, report: Report) -> BenchResult:
    """Both rewards on each seed, one after the other; demonstrations stay in the run folder."""
    torch.set_num_threads(1)
    size = QUICK if options.quick else FULL
    seeds = options.seeds or (SEEDS[:1] if options.quick else SEEDS)
    folder = options.folder("rankings")
    rows: list[dict[str, Cell]] = []
    report(0.0, "how long will it take?")
    steps = size.shown.steps // 2 + len(METHODS) * size.learned.steps
    report = with_time_left(report, len(seeds) * steps * seconds_per_step(ENVIRONMENT, size.learned))
    for index, seed in enumerate(seeds):

        def tell(share: float, detail: str, index: int = index, seed: int = seed) -> None:
            report((index + share) / len(seeds), f"seed {seed}: {detail}")

        rows += of_seed(seed, size, folder, tell)
    return BenchResult(seeds, rows, targets(rows))


def of_seed(seed: int, size: Size, folder: Path, tell: Tell) -> list[dict[str, Cell]]:
    """A line of each method, as far as it is not in `folder` already."""
    kept, first = Kept(folder), 0.15

    @cache
    def shown() -> Demonstrations:
        return demonstrations(ENVIRONMENT, size.shown, COUNT, seed, folder,
                              lambda share: tell(first * share, "demonstrations"), enough=size.enough)

    def line(number: int, method: Method) -> dict[str, Cell]:
        return method(shown(), size, seed, lambda share, detail: tell(
            first + (1.0 - first) * (number + share) / len(METHODS), detail))

    return [kept.part(f"{name}-{seed}", (ENVIRONMENT, COUNT, size, seed), partial(line, number, method))
            for number, (name, method) in enumerate(METHODS.items())]


def t_rex(shown: Demonstrations, size: Size, seed: int, tell: Tell) -> dict[str, Cell]:
    """The reward of demonstrations whose order somebody has told."""
    tell(0.0, "T-REX: reward")
    episodes = {f"shown-{number}": rows for number, rows in enumerate(shown.better)}
    ranking = Ranking(tuple(Segment(name, 0, len(rows)) for name, rows in episodes.items()),
                      dense([-shown.true_return(rows) for rows in shown.better]))
    reward = TRex(size.reward, shown.states, seed=seed)
    reward.fit([ranking], context(shown, episodes))
    unsure = unsure_of_glare(shown, [ranking], episodes, seed)
    return {**judge("T-REX", shown, shown.better, reward, size, seed, tell), UNSURE: unsure}


def d_rex(shown: Demonstrations, size: Size, seed: int, tell: Tell) -> dict[str, Cell]:
    """The reward of what a clone does with more and with less noise."""
    tell(0.0, "D-REX: episodes with noise")
    env, draw = make_env(ENVIRONMENT), np.random.default_rng(seed)
    act, levels = clone(shown, shown.best, size.cloned, seed).act, plan(size.noise)
    made = [rollout(env, noisy(act, level, draw), start, size.learned.longest)
            for level, start in zip(levels, start_seeds(seed + NOISE, len(levels)), strict=True)]
    env.close()
    episodes = {f"noise-{number}": rows for number, rows in enumerate(made)}
    segments = [Segment(name, 0, len(rows)) for name, rows in episodes.items()]
    tell(0.02, "D-REX: reward")
    reward = TRex(size.reward, shown.states, seed=seed)
    reward.fit(rank(list(zip(segments, levels, strict=True))), context(shown, episodes))
    return judge("D-REX", shown, shown.best, reward, size, seed, tell)


def unsure_of_glare(shown: Demonstrations, answers: Sequence[Ranking], episodes: Mapping[str, Tensor], seed: int) -> float:
    """Bayesian REX on the same ranking, where a camera glares the more the faster the robot runs: how many times as unsure its
    posterior is of glare without speed, which nobody showed, as of both together (variance of the weights along either).
    """

    def features(state: Tensor) -> Tensor:
        speed = state[:, SPEED]
        return torch.stack([speed, speed], dim=-1)

    posterior = BayesianRex(BRexConfig(sees=SEES), features, seed=seed)
    posterior.fit(answers, context(shown, episodes))
    together, alone = (posterior.weights @ torch.tensor(direction) for direction in ([1.0, 1.0], [-1.0, 1.0]))
    return float(alone.var() / together.var())


Method = Callable[[Demonstrations, Size, int, Tell], dict[str, Cell]]
METHODS: Mapping[str, Method] = {"T-REX": t_rex, "D-REX": d_rex}

LEARNING, NOISE, JUDGING = 1000, 2000, 3000
"""Added to a seed, so that nobody learns or is judged where the demonstrator began."""


def context(shown: Demonstrations, episodes: Mapping[str, Tensor]) -> Context:
    """Where the steps of episodes come from."""
    return Context(lambda clip: shown.transitions(episodes[clip.episode_id][clip.start : clip.stop]))


def clone(shown: Demonstrations, data: Sequence[Tensor], config: BCConfig, seed: int) -> StateCloning:
    """Behaviour cloning of these demonstrations."""
    torch.manual_seed(seed)
    rows = torch.cat(list(data))
    steps = shown.transitions(rows)
    cloning = StateCloning(config, shown.states, shown.actions)
    cloning.fit(steps.state, steps.state_action[:, shown.states :], None, torch.Generator().manual_seed(seed))
    return cloning


def judge(
    name: str, shown: Demonstrations, data: Sequence[Tensor], reward: TRex, size: Size, seed: int, tell: Tell
) -> dict[str, Cell]:
    """A line of the table: true returns of a policy that learned from `reward`, and of clones of `data`, all of it or the best alone.

    `rank correlation` is Spearman's of learned and true return over all episodes in which the policy learned; `beyond the best`
    that over those of them that were better than the best demonstration.
    """
    env = make_env(ENVIRONMENT)

    def true(act: Act) -> list[float]:
        return evaluate(env, act, start_seeds(seed + JUDGING, size.judged), longest=size.learned.longest)

    given = [shown.true_return(rows) for rows in data]
    tell(0.05, f"{name}: behaviour cloning")
    cloned = mean(true(clone(shown, data, size.cloned, seed).act))
    of_best = mean(true(clone(shown, [data[int(np.argmax(given))]], size.cloned, seed).act))
    found = learn(reward, shown.transitions(torch.cat(list(data))), size.learned, seed,
                  lambda share, detail: tell(0.1 + 0.85 * share, f"{name}: {detail}"))
    returns = true(found.best)
    env.close()
    return {"seed": seed, "reward": name, "best demonstration": max(given), "mean demonstration": mean(given), "BC": cloned,
            "BC of the best": of_best, "policy": mean(returns), "sd": stdev(returns) if len(returns) > 1 else 0.0,
            "times the best": mean(returns) / max(given) if max(given) > 0.0 else None,
            "rank correlation": correlation(reward, found), "beyond the best": correlation(reward, found, max(given))}


def learn(reward: TRex, shown: Transitions, config: StateLoopConfig, seed: int, tell: Tell) -> StateLoop:
    """Reinforcement learning on `reward` alone, which is asked about the demonstrated steps too."""
    env: Env = make_env(ENVIRONMENT)
    found = StateLoop(env, config, reward=reward.reward, seed=seed + LEARNING, shown=shown)
    while found.steps < config.steps:
        episode = found.episode()
        true = float(found.replay.transitions(episode).reward.sum())
        tell(found.steps / config.steps, f"step {found.steps}, true return {true:.0f}")
    env.close()
    return found


def correlation(reward: TRex, found: StateLoop, above: float = -math.inf) -> float | None:
    """Spearman's, of learned and true return over the episodes of a run that are better than `above`; None of fewer than three."""
    clips = [found.replay.transitions(episode) for episode in found.replay.episodes()]
    returns = torch.tensor([[float(reward.reward(clip).sum()), float(clip.reward.sum())] for clip in clips])
    returns = returns[returns[:, 1] > above]
    return float(torch.corrcoef(returns.argsort(0).argsort(0).double().T)[0, 1]) if len(returns) > 2 else None


def targets(rows: Sequence[Mapping[str, Cell]]) -> list[Target]:
    """What the issue promises: means over seeds."""
    promised: list[Target] = []
    for name in METHODS:
        of = [row for row in rows if row["reward"] == name]
        best, policy, cloned = (mean(float(row[column] or 0.0) for row in of) for column in ("best demonstration", "policy", "BC"))
        cloned = max(cloned, mean(float(row["BC of the best"] or 0.0) for row in of))
        promised += [Target.at_least(f"{name}: true return / best demonstration's", policy / best if best > 0.0 else None, MARGIN),
                     Target.at_least(f"{name}: true return less behaviour cloning's", policy - cloned, 0.0)]
    unsure = [float(row[UNSURE] or 0.0) for row in rows if row["reward"] == "T-REX"]
    return [*promised, Target.at_least("Bayesian REX: how many times as unsure of a spurious feature", min(unsure), 10.0)]
