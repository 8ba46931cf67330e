"""Asymmetric self-play: one policy sets goals and another reaches them, so that a world is explored without any reward of its own.

Sukhbaatar et al. 2018, Intrinsic Motivation and Automatic Curricula via Asymmetric Self-Play, for a world that can be begun again
from the same start. The setter acts for t_A steps and stops; the reacher begins where the setter began and tries to come where it
stopped, in t_B steps. Of T steps that both have together, t_B is all that are left when it does not get there.

    R_A = gamma max(0, t_B - t_A)        R_B = -gamma t_B

The setter is paid for what takes the reacher longer than itself, so that goals are as near as they can be and yet not reached, and go
further away as the reacher learns. The reacher sees the goal beside the state, and so reaches a task's own goals, too, though nobody
has shown it one: in none, or in fewer episodes of practice than from scratch.

Each of both is a `StateLoop`, soft actor-critic, in its side of the same world. The last step of a setter's episode is an episode of
the reacher's. How the setter got to its goal is a demonstration of reaching it (OpenAI et al. 2021, Asymmetric Self-Play for
Automatic Goal Discovery in Robotic Manipulation): the reacher has it in its replay, and learns from it as from its own steps. What
either did is also how to get to wherever it came (Andrychowicz et al. 2017, Hindsight Experience Replay).

Learns from: goals that it sets itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rewardbot.config import setting
from rewardbot.errors import ConfigError
from rewardbot.policies.sac import SACConfig
from rewardbot.training.self_play_sides import Place, Points, Reaching, Round, Setting, world_of
from rewardbot.training.state_loop import Env, Spaces, StateLoop, StateLoopConfig, name_of

SMALL = StateLoopConfig(steps=10_000, start_steps=500, sac=SACConfig(hidden=64, batch=128, rate=1e-3, discount=0.97))
# Entropy is a wage for each step, and being there ends it: at a temperature of 1, where a learned one begins, it outweighs what a
# step costs, and the reacher keeps away from its goals.
REACHER = replace(SMALL, sac=replace(SMALL.sac, temperature=0.05, target_step=0.02))


@dataclass(frozen=True)
class SelfPlayConfig:
    """Hyper-parameters."""

    together: int = setting(30, "T, steps that setter and reacher have together", min=2)
    scale: float = setting(1.0, "gamma, worth of a step", min=0.0)
    demonstrated: bool = setting(True, "the reacher learns from how the setter got there, too")
    hindsight: int = setting(4, "places that were come to later, for which each step is learned from, too", min=0)
    setter: StateLoopConfig = setting(SMALL, "how the setter learns; its `steps` are not used")
    reacher: StateLoopConfig = setting(REACHER, "how the reacher learns; its `steps` are those of both")


class SelfPlay:
    """See the module.

    Args:
        env: a gymnasium environment that is a `World`, too; the caller closes it.
        config: see `SelfPlayConfig`.
        seed: of everything.

    Attributes:
        setter, reacher: their loops. The setter sees the start as its goal, and has an action more, which stops it.
        rounds: what came of each so far; who has looked may clear it.

    Raises:
        ConfigError: an environment without goals, or see `Spaces.of`.
    """

    def __init__(self, env: Env, config: SelfPlayConfig, *, seed: int = 0) -> None:
        if not hasattr(env.unwrapped, "aim"):
            raise ConfigError(f"Nobody can set goals in {name_of(env)}.", valid="--task reach --state, or --task push --state.")
        self.env, self.config = env, config
        self._reaching = Reaching(env, config.together, config.scale)
        self._setting = Setting(env, config.together, config.scale, self._reach)
        self.rounds = list[Round]()
        self._draw = np.random.default_rng(seed)
        # Neither is cut off in the middle of an episode: whoever calls `advance` knows when it is enough.
        most = (2 + 2 * config.hindsight) * (config.reacher.steps + config.together)
        self.setter = StateLoop(self._setting, replace(config.setter, steps=most), seed=seed, name=f"set-{seed}")
        self.reacher = StateLoop(self._reaching, replace(config.reacher, steps=most), seed=seed + 1, name=f"reach-{seed}")

    @property
    def steps(self) -> int:
        """Of both together, in the world."""
        return self.setter.steps + self.reacher.steps

    def advance(self) -> None:
        """A round: an episode of both, and the updates that are due.

        Raises:
            DataError: the environment gave NaN.
        """
        self.setter.episode()
        self.rounds.append(self._setting.told)
        if self.config.demonstrated and self.rounds[-1].reacher_steps:
            self._tell(f"shown-{self.setter.episodes}", self._setting.came, [self._setting.goal])

    def practise(self, seed: int) -> int:
        """An episode of the reacher alone towards the task's own goal, with all T steps; t_B."""
        self._reaching.begin(seed, None, self.config.together)
        self._reached()
        return self._reaching.taken

    def state(self) -> dict[str, Any]:
        """What learning goes on from, see `StateLoop.state`."""
        return {"setter": self.setter.state(), "reacher": self.reacher.state(), "random": self._draw.bit_generator.state}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from what `state` gave."""
        self._draw.bit_generator.state = state["random"]
        self.setter.restore(state["setter"])
        self.reacher.restore(state["reacher"])

    def _tell(self, name: str, came: Sequence[Place], goals: Sequence[Points] = ()) -> None:
        """Each step of what was done as if the reacher had done it, for some goals, and for places where it was then or later.

        An episode of the reacher ends where it gets there, so that only this shows it what to do there: whoever stays is there
        again, whoever leaves has further to go.
        """
        replay, world, start = self.reacher.replay, world_of(self.env), came[0].points
        replay.begin(name)
        for number, (before, after) in enumerate(itertools.pairwise(came)):
            later = self._draw.integers(number, len(came), self.config.hindsight)
            for goal in (*goals, *(world.shown(start, came[place].points) for place in later)):
                replay.add(world.toward(before.seen, before.points, goal), after.action, -self.config.scale,
                           world.toward(after.seen, after.points, goal), terminated=world.reached(after.points, goal))

    def _reached(self) -> None:
        self.reacher.episode()
        self._tell(f"later-{self.reacher.episodes}", self._reaching.came)

    def _reach(self, seed: int, goal: Points, left: int) -> tuple[int, bool]:
        """t_B, and whether it got there."""
        self._reaching.begin(seed, goal, left)
        self._reached()
        return self._reaching.taken, self._reaching.there


def reaches(env: Env, act: Callable[[NDArray[np.float32]], NDArray[np.float32]], seeds: Iterable[int], steps: int) -> list[bool]:
    """Whether the task's own goal is reached within some steps, for each seed of a start state."""
    world, sizes, found = world_of(env), Spaces.of(env), list[bool]()
    for seed in seeds:
        state, _ = env.reset(seed=seed)
        there = world.reached(world.points, world.goal)
        for _ in range(steps):
            if there:
                break
            state, *_ = env.step(sizes.action(act(np.asarray(state, np.float32))))
            there = world.reached(world.points, world.goal)
        found.append(there)
    return found
