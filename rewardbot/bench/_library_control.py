"""The part of `rewardbot bench library` with continuous states: imitation of an expert from ten episodes.

The expert learned on the true reward. What counts is the true return, as a share of the way from acting at random (0) to the
expert (1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import mean

import gymnasium
import numpy as np
import torch

from rewardbot.bench._kept import Kept
from rewardbot.bench._library_expert import expert
from rewardbot.data.state_demonstrations import StateDemonstrations
from rewardbot.policies.bc import BCConfig, StateCloning
from rewardbot.policies.sac import SACConfig
from rewardbot.training.adversarial import AdversarialConfig, AdversarialLoop
from rewardbot.training.bench import BenchOptions, Cell, Report, Target
from rewardbot.training.state_loop import Act, Env, Spaces, StateLoopConfig, evaluate, start_seeds
from rewardbot.training.visiting import demonstrate

EPISODES = 10
"""Demonstrations of an expert."""

ENOUGH = 0.9
"""Share of the expert's return, above that of acting at random."""

PROMISED = ("gail", "airl")
EXPERT_SEED = 100
"""Of the expert and of what it shows, which no learner's seed is."""


@dataclass(frozen=True)
class World:
    """How an environment is tried.

    Attributes:
        expert: how the expert learns, on the true reward.
        learner: how soft actor-critic learns from learned rewards.
        imitators: these.
        judged: episodes of each true return.
        cloned: steps of behaviour cloning.
    """

    expert: StateLoopConfig
    learner: StateLoopConfig
    imitators: Sequence[str] = PROMISED
    judged: int = 20
    cloned: int = 1000


SMALL = SACConfig(hidden=64, batch=128, rate=1e-3, discount=0.97)
MIDDLE = SACConfig(hidden=128, batch=128, rate=1e-3)
WORLDS = {
    "Pendulum-v1": World(StateLoopConfig(steps=10_000, sac=SMALL), StateLoopConfig(steps=8_000, sac=SMALL), (*PROMISED, "gcl")),
    # It never falls: where an episode ends early, its end tells a learner most of the true reward.
    "HalfCheetah-v5": World(StateLoopConfig(steps=60_000, sac=MIDDLE),
                            StateLoopConfig(steps=30_000, shown=0.5, sac=replace(MIDDLE, norm=True)), judged=5),
}
QUICK = {"Pendulum-v1": replace(
    WORLDS["Pendulum-v1"], expert=StateLoopConfig(steps=120, start_steps=100, sac=SMALL),
    learner=StateLoopConfig(steps=120, start_steps=100, sac=SMALL), judged=1, cloned=10)}


def control(seeds: Sequence[int], options: BenchOptions, report: Report) -> tuple[list[dict[str, Cell]], list[Target]]:
    """Rows and targets of this part.

    Args:
        seeds: of the learners.
        options: of the comparison.
        report: told the share of this part that is done.
    """
    torch.set_num_threads(1)
    folder = options.folder("library")
    kept = Kept(folder)
    worlds = QUICK if options.quick else WORLDS
    total = sum(world.expert.steps + world.learner.steps * len(world.imitators) * len(seeds) for world in worlds.values())
    done = 0

    def tell(steps: int, what: str) -> None:
        report(min(1.0, (done + steps) / total), what)

    rows: list[dict[str, Cell]] = []
    targets: list[Target] = []
    for name, world in worlds.items():
        env, judge = gymnasium.make(name), gymnasium.make(name)
        act = expert(name, world.expert, EXPERT_SEED, folder, lambda steps, name=name: tell(steps, f"{name}: expert"))
        done += world.expert.steps
        shown = demonstrate(judge, act, start_seeds(EXPERT_SEED, EPISODES))
        shares: dict[str, list[float]] = {imitator: [] for imitator in PROMISED}
        place = Place(name, world, env, judge, act, shown)
        for seed in seeds:
            found = returns(place, seed, kept, lambda before, imitator, steps, name=name, seed=seed: tell(
                before + steps, f"{name}, seed {seed}: {imitator}"))
            done += world.learner.steps * len(world.imitators)
            low, high = (float(found[actor]["true return"] or 0.0) for actor in ("random", "expert"))
            for actor, part in found.items():
                share = (float(part["true return"] or 0.0) - low) / (high - low)
                rows.append({"world": name, "seed": seed, "method": actor, **part, "share of the expert": share})
                if actor in shares:
                    shares[actor].append(share)
        env.close()
        judge.close()
        targets += [Target.at_least(f"{name}: {imitator}, share of the expert's return", mean(of), ENOUGH)
                    for imitator, of in shares.items()]
    return rows, targets


@dataclass(frozen=True)
class Place:
    """A world, its expert, and what that showed."""

    name: str
    world: World
    env: Env
    judge: Env
    act: Act
    shown: StateDemonstrations


def returns(place: Place, seed: int, kept: Kept, tell: Callable[[int, str, int], object]) -> dict[str, dict[str, Cell]]:
    """The true return of each actor, now or then.

    Args:
        tell: told the steps of imitators that are done, the present one, and its steps.
    """
    world, shown, at = place.world, place.shown, start_seeds(seed, place.world.judged)

    def of(actor: str, settings: object, make: Callable[[], Act]) -> dict[str, Cell]:
        about = (place.name, world.expert, EPISODES, world.judged, seed, settings)
        return kept.part(f"{place.name}-{actor}-{seed}", about, lambda: {"true return": mean(evaluate(place.judge, make(), at))})

    found = {"expert": of("expert", (), lambda: place.act), "random": of("random", (), lambda: random(place.judge, seed)),
             "bc": of("bc", world.cloned, lambda: cloned(shown, seed, world.cloned))}
    for number, imitator in enumerate(world.imitators):
        told = partial(tell, number * world.learner.steps, imitator)
        learn = partial(imitated, place.env, imitator, world.learner, shown, seed, told)
        found[imitator] = of(imitator, AdversarialConfig(loop=world.learner), learn)
    return found


def imitated(
    env: Env, reward: str, learner: StateLoopConfig, shown: StateDemonstrations, seed: int, tell: Callable[[int], object]
) -> Act:
    """What soft actor-critic does at last with a reward that learned against it."""
    learning = AdversarialLoop(env, reward, "sac", AdversarialConfig(loop=learner), shown, seed=seed)
    while not learning.over:
        learning.advance()
        tell(learning.loop.steps)
    return learning.loop.best


def random(env: Env, seed: int) -> Act:
    """Actions drawn uniformly."""
    draw, sizes = np.random.default_rng(seed), Spaces.of(env)
    return lambda state: draw.uniform(-1.0, 1.0, sizes.actions).astype(np.float32)


def cloned(shown: StateDemonstrations, seed: int, count: int = 1000) -> Act:
    """Behaviour cloning, by so many steps."""
    torch.manual_seed(seed)
    steps = shown.transitions()
    cloning = StateCloning(BCConfig(steps=count, dropout=0.0, proprio_noise=0.0), *shown.sizes)
    cloning.fit(steps.state, steps.state_action[:, steps.states :], None, torch.Generator().manual_seed(seed))
    return cloning.act
