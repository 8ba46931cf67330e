"""Episodes from a robot in this process: from the scripted demonstrator or from a policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rewardbot.data.success_images import Images
from rewardbot.data.takeovers import TAKEOVERS, spans
from rewardbot.errors import RewardbotError
from rewardbot.robots.demonstrators import ScriptedDemonstrator
from rewardbot.robots.hand import HESITATION
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.play import RandomPlay
from rewardbot.robots.start_states import demonstration_stream, start_seed
from rewardbot.robots.takeovers import WatchingOperator
from rewardbot.types import Episode, EpisodeInfo, Observation

STAY, EVERY, LIFT, EACH = 4, 3, 3, 10
"""Of success images: steps at the goal, then one picture in so many, steps upwards, and pictures of each time that it is reached."""

Act = Callable[[Observation], NDArray[np.float32]]


def run_episode(
    robot: MujocoRobot, act: Act, info: EpisodeInfo, operator: WatchingOperator | None = None
) -> tuple[Episode, NDArray[np.bool_]]:
    """One episode from the start state that `info.seed` names.

    Args:
        robot: the simulator.
        act: who acts.
        info: of the episode; what an operator did and said is added.
        operator: who watches and takes over, if anybody does. He judges the episodes in which he did.

    Returns:
        The episode, and the simulator's true success at each of its T + 1 observations, bool (T + 1,), which is for
        evaluation, for an operator's stand-in and for the oracle of a comparison. It is no part of the episode.
    """
    observations = [robot.reset(info.seed)]
    truth = [robot.true_success()]
    asked, applied, taken = [], [], []
    if operator is not None:
        operator.begin_episode(info.seed or 0)
    for _ in range(robot.task.horizon):
        taken.append(operator is not None and operator.acts())
        action = operator.act() if operator is not None and taken[-1] else act(observations[-1])
        asked.append(action)
        applied.append(robot.send(action))
        observations.append(robot.read())
        truth.append(robot.true_success())
    if any(taken):
        info = replace(info, success=truth[-1], extra={**info.extra, TAKEOVERS: spans(np.array(taken))})
    episode = Episode(
        info=info,
        stamps=np.array([observation.stamp for observation in observations]),
        images={name: np.stack([o.images[name] for o in observations]) for name in observations[0].images},
        proprio=np.stack([observation.proprio for observation in observations]),
        actions=np.stack(asked).astype(np.float32),
        applied=np.stack(applied),
    )
    return episode, np.array(truth)


def demonstrate(
    robot: MujocoRobot, count: int, *, noise: float, stream: int, seed: int, hesitation: float = HESITATION,
    success: bool | None = True, first: int = 0, take: Callable[[Episode], object] = lambda episode: None,
    progress: Callable[[float], None] = lambda share: None,
) -> list[Episode]:
    """`count` demonstrations that the operator calls a success; others are done again, as an operator would.

    Args:
        robot: the simulator.
        count: how many.
        noise: tremor of the demonstrator's hand.
        stream: stream of start states.
        seed: seed of the hand.
        hesitation: of the hand [s].
        success: False collects those that the operator calls a failure instead, None all as they come.
        first: index of the start state to begin from.
        take: gets each one as soon as it is done.
        progress: told the share that is done.

    Raises:
        RewardbotError: hardly any succeeds.
    """
    operator = ScriptedDemonstrator(robot, noise=noise, hesitation=hesitation, seed=seed)
    kept: list[Episode] = []
    tried = 0
    while len(kept) < count:
        if tried > 3 * count + 10:
            raise RewardbotError(f"The operator succeeded in {len(kept)} of {tried} demonstrations of '{robot.task_name}'.",
                                 next_step="Lower --noise.")
        start = start_seed(stream, first + tried)
        operator.begin_episode(start)
        name = f"{robot.task_name}-demonstration-{stream}-{first + tried}"
        info = EpisodeInfo(name, robot.task_name, robot.contract.name, "demonstration", seed=start)
        episode, truth = run_episode(robot, lambda _: operator.act(), info)
        tried += 1
        verdict = bool(truth[-1])
        if success is None or verdict == success:
            kept.append(replace(episode, info=replace(info, success=verdict)))
            take(kept[-1])
        progress(len(kept) / count)
    return kept


def play(
    robot: MujocoRobot, count: int, *, stream: int, first: int = 0, take: Callable[[Episode], object] = lambda episode: None,
    progress: Callable[[float], None] = lambda share: None,
) -> None:
    """`count` episodes of random motion, see `RandomPlay`; the arguments are as for `demonstrate`."""
    player = RandomPlay(robot.contract)
    for index in range(first, first + count):
        start = start_seed(stream, index)
        player.begin_episode(start)
        info = EpisodeInfo(f"{robot.task_name}-play-{stream}-{index}", robot.task_name, robot.contract.name, "play", seed=start)
        take(run_episode(robot, lambda o: player.act(o.tool_pose[:3]), info)[0])
        progress((index + 1 - first) / count)


def picture_success(
    robot: MujocoRobot, count: int, *, seed: int, progress: Callable[[float], None] = lambda share: None
) -> Images:
    """`count` moments in which the operator sees the goal reached, from all around: no action leaves this function.

    The simulated operator reaches the goal, stays a while, and then moves the hand about until the goal is lost, as a person
    does with a key held down. Pictures with the hand in one place only would teach that the hand belongs to the goal. The goal is
    reached again for every ten pictures: many of a few arrivals would teach that the goal is there, and not anywhere on its square.

    Args:
        robot: the simulator.
        count: how many.
        seed: seed of start states and hand.
        progress: told the share that is done.

    Raises:
        RewardbotError: hardly ever is the goal reached.
    """
    operator, rng = ScriptedDemonstrator(robot, seed=seed), np.random.default_rng([seed, 2])
    low, high = (np.asarray(corner) for corner in (robot.contract.limits.workspace_low, robot.contract.limits.workspace_high))
    moments: list[Observation] = []
    for episode in range(10 + count):
        start = start_seed(demonstration_stream(seed), episode)
        robot.reset(start)
        operator.begin_episode(start)
        stay, target, until = STAY, robot.tool, len(moments) + EACH
        for _ in range(3 * robot.task.horizon):
            reached = robot.true_success()
            if stay < STAY and not reached:
                break  # lost
            if reached:
                stay -= 1
                if stay >= 0 or stay % EVERY == 0:
                    moments.append(robot.read())
                    progress(len(moments) / count)
                if len(moments) == count:
                    return {name: np.stack([moment.images[name] for moment in moments]) for name in moments[0].images}
                if len(moments) == until:
                    break
            if stay > 0:
                robot.send(operator.act())
                continue
            if np.linalg.norm(target - robot.tool) < 0.03:
                target = rng.uniform(np.maximum(low, high - (0.4, 0.5, 0.35)), np.minimum(high, low + (0.4, 0.5, 0.25)))
            away = np.clip((target - robot.tool) / robot.contract.action_scale, -1.0, 1.0)
            away[2] = 1.0 if stay > -LIFT else away[2]  # first up, away from what was reached
            robot.send(np.array([*np.clip(away + rng.normal(scale=0.2, size=3), -1.0, 1.0), rng.choice([-1.0, 1.0])], np.float32))
    raise RewardbotError(f"The operator reached the goal of '{robot.task_name}' in {len(moments)} moments only.",
                         next_step="Ask for fewer with --count.")
