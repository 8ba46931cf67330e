"""The part of `rewardbot bench library` on the arm: pushing the puck onto the square from the true state, by true success.

All see the same demonstrations of a simulated operator whose hand trembles. Half of each batch of soft actor-critic are their steps,
with the reward that is learned; a classifier's success examples are their last states.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import gymnasium
import numpy as np
import torch
from torch import Tensor

from rewardbot.bench._kept import Kept
from rewardbot.bench._library_control import EXPERT_SEED, cloned, imitated, random
from rewardbot.data.state_demonstrations import StateDemonstrations
from rewardbot.data.transitions import Transitions
from rewardbot.policies.sac import SACConfig
from rewardbot.rewards.discriminator import DiscriminatorConfig
from rewardbot.rewards.goal_classifier import GoalClassifier
from rewardbot.robots.demonstrators import ScriptedDemonstrator
from rewardbot.robots.state_env import StateEnv, state_env_id
from rewardbot.training.bench import BenchOptions, Cell, Report, Target
from rewardbot.training.state_loop import Act, Env, StateLoop, StateLoopConfig, evaluate, start_seeds
from rewardbot.training.visiting import demonstrate

WORLD = "push from state"
DEMONSTRATIONS, HAND_TREMOR = 20, 0.2
JUDGED = 50
"""Episodes of each share of successes."""

LEARNER = StateLoopConfig(steps=15_000, shown=0.5, sac=SACConfig(hidden=128, batch=128, rate=1e-3, discount=0.95, norm=True))
QUICK = StateLoopConfig(steps=120, start_steps=100, shown=0.5, sac=SACConfig(hidden=32, batch=32))

CLASSIFIERS = ("vice", "goal_classifier")

ENDS, BEGINNINGS = 4, 5
"""Last states of a demonstration, which are successes, and first ones, which are none."""

RECENT = 5_000
"""Newest visited states that a goal classifier takes for no goal."""

Learn = Callable[[Env, StateDemonstrations, StateLoopConfig, int, Callable[[int], object]], Act]


def push(seeds: Sequence[int], options: BenchOptions, report: Report) -> tuple[list[dict[str, Cell]], list[Target]]:
    """Rows of this part, for which nothing was promised.

    Args:
        seeds: of learners and operators.
        options: of the comparison.
        report: told the share of this part that is done.
    """
    torch.set_num_threads(1)
    learner, judged, count, clone = (QUICK, 2, 4, 10) if options.quick else (LEARNER, JUDGED, DEMONSTRATIONS, 1000)
    total, done, kept = len(seeds) * len(METHODS) * learner.steps, 0, Kept(options.folder("library"))
    rows: list[dict[str, Cell]] = []

    def reached(method: str, seed: int, settings: object, make: Callable[[], float]) -> None:
        """A row, of now or of then."""
        part = kept.part(f"push-{method}-{seed}", (seed, judged, count, settings), lambda: {"true success": make()})
        rows.append({"world": WORLD, "seed": seed, "method": method, **part})

    for seed in seeds:
        env = gymnasium.make(state_env_id("push"))
        at, shown = start_seeds(seed, judged), shown_push(count, seed)
        reached("expert", seed, (), lambda env=env, seed=seed, at=at: _of_operator(env, seed, at))
        reached("random", seed, (), lambda env=env, seed=seed, at=at: success(env, random(env, seed), at))
        reached("bc", seed, clone, lambda env=env, seed=seed, at=at, shown=shown: success(env, cloned(shown, seed, clone), at))
        for method, learn in METHODS.items():
            tell, settings = partial(_tell, report, done, total, f"{WORLD}, seed {seed}: {method}"), learner_of(method, learner)
            learned = partial(learn, env, shown, settings, seed, tell)
            reached(method, seed, settings, lambda env=env, at=at, learned=learned: success(env, learned(), at))
            done += learner.steps
            report(done / total, WORLD)
        env.close()
    return rows, []


def learner_of(method: str, learner: StateLoopConfig) -> StateLoopConfig:
    """How a method learns. A classifier pays about 1 a step at the goal, and next to nothing before: at a first temperature of 1
    entropy pays more, and target critics that follow slowly take most of the steps to say at the start what the goal is worth.
    """
    if method not in CLASSIFIERS:
        return learner
    return replace(learner, sac=replace(learner.sac, first_temperature=0.05, target_step=0.02))


def _tell(report: Report, before: int, total: int, what: str, steps: int) -> None:
    report((before + steps) / total, what)


def shown_push(count: int, seed: int) -> StateDemonstrations:
    """What the operator shows; only what succeeded."""
    env = gymnasium.make(state_env_id("push"))
    inner, operator = _operator(env, seed)
    episodes, start, one = [], 0, None
    while one is None or len(episodes) < count:
        operator.begin_episode(start)
        one = demonstrate(env, lambda state: operator.act(), [EXPERT_SEED + start])
        start += 1
        if inner.robot.true_success():
            episodes += one.episodes
    env.close()
    return replace(one, episodes=episodes)


def success(env: Env, act: Act, seeds: Sequence[int]) -> float:
    """Share of episodes at whose end the goal holds."""
    held = []
    for seed in seeds:
        evaluate(env, act, [seed])
        held.append(_inner(env).robot.true_success())
    return float(np.mean(held))


def _of_operator(env: Env, seed: int, at: Sequence[int]) -> float:
    inner, operator = _operator(env, seed)
    held = []
    for start in at:
        operator.begin_episode(start)
        evaluate(env, lambda state: operator.act(), [start])
        held.append(inner.robot.true_success())
    return float(np.mean(held))


def _operator(env: Env, seed: int) -> tuple[StateEnv, ScriptedDemonstrator]:
    inner = _inner(env)
    return inner, ScriptedDemonstrator(inner.robot, noise=HAND_TREMOR, seed=seed)


def _inner(env: Env) -> StateEnv:
    inner = env.unwrapped
    assert isinstance(inner, StateEnv)
    return inner


def _adversarial(name: str) -> Learn:
    return lambda env, shown, learner, seed, tell: imitated(env, name, learner, shown, seed, tell)


def _classifier(*, online: bool) -> Learn:
    """Online, what the policy visits is not the goal."""

    def learn(env: Env, shown: StateDemonstrations, learner: StateLoopConfig, seed: int, tell: Callable[[int], object]) -> Act:
        loop = StateLoop(env, learner, seed=seed, shown=shown.transitions())
        goal, early = (torch.from_numpy(np.concatenate([episode.states[part] for episode in shown.episodes]))
                       for part in (slice(-ENDS, None), slice(0, BEGINNINGS)))
        draw = torch.Generator().manual_seed(seed)

        def negatives(n: int) -> Tensor:
            some = early[torch.randint(len(early), (n,), generator=draw)]
            if not online or loop.steps < 100:
                return some
            visited = loop.replay.newest(RECENT).next_state
            return torch.cat([visited[torch.randint(len(visited), (3 * n // 4,), generator=draw)], some[3 * n // 4 :]])

        torch.manual_seed(seed)
        held_out = ENDS * max(1, len(shown.episodes) // 5)
        model = GoalClassifier(DiscriminatorConfig(), goal[held_out:], goal[:held_out], negatives)
        model.fit(200)

        def reward(batch: Transitions) -> Tensor:
            with torch.no_grad():
                return torch.sigmoid(model.discriminator(batch.next_state)) / model.level

        def after_update(batch: Transitions) -> None:
            if online and loop.updates % 4 == 0:
                model.step()

        loop.reward = reward
        while loop.steps < learner.steps:
            loop.episode(after_update)
            tell(loop.steps)
        return loop.best

    return learn


METHODS: dict[str, Learn] = {"gail": _adversarial("gail"), "airl": _adversarial("airl"), "vice": _classifier(online=True),
                             "goal_classifier": _classifier(online=False)}
