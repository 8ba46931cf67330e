"""Episodes from a robot in this process: from the scripted demonstrator or from a policy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rewardbot.errors import RewardbotError
from rewardbot.robots.demonstrators import ScriptedDemonstrator
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.training.streams import start_seed
from rewardbot.types import Episode, EpisodeInfo, Observation

Act = Callable[[Observation], NDArray[np.float32]]


def run_episode(robot: MujocoRobot, act: Act, info: EpisodeInfo) -> tuple[Episode, NDArray[np.bool_]]:
    """One episode from the start state that `info.seed` names.

    Returns:
        The episode, and the simulator's true success at each of its T + 1 observations, bool (T + 1,), which is for
        evaluation, for an operator's stand-in and for the oracle of a comparison. It is no part of the episode.
    """
    observations = [robot.reset(info.seed)]
    truth = [robot.true_success()]
    asked, applied = [], []
    for _ in range(robot.task.horizon):
        action = act(observations[-1])
        asked.append(action)
        applied.append(robot.send(action))
        observations.append(robot.read())
        truth.append(robot.true_success())
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
    robot: MujocoRobot, count: int, *, noise: float, stream: int, seed: int, success: bool = True,
    first: int = 0, take: Callable[[Episode], object] = lambda episode: None,
    progress: Callable[[float], None] = lambda share: None,
) -> list[Episode]:
    """`count` demonstrations that the operator calls a success; others are done again, as an operator would.

    Args:
        robot: the simulator.
        count: how many.
        noise: tremor of the demonstrator's hand.
        stream: stream of start states.
        seed: seed of the tremor.
        success: False collects those that the operator calls a failure instead.
        first: index of the start state to begin from.
        take: gets each one as soon as it is done.
        progress: told the share that is done.

    Raises:
        RewardbotError: hardly any succeeds.
    """
    operator = ScriptedDemonstrator(robot, noise=noise, seed=seed)
    kept: list[Episode] = []
    tried = 0
    while len(kept) < count:
        if tried > 3 * count + 10:
            raise RewardbotError(f"The operator succeeded in {len(kept)} of {tried} demonstrations of '{robot.task_name}'.",
                                 next_step="Lower --noise.")
        start = start_seed(stream, first + tried)
        operator.begin_episode(start)
        name = f"{robot.task_name}-demonstration-{stream}-{first + tried}"
        info = EpisodeInfo(name, robot.task_name, robot.contract.name, "demonstration", seed=start, success=success)
        episode, truth = run_episode(robot, lambda _: operator.act(), info)
        tried += 1
        if bool(truth[-1]) == success:
            kept.append(episode)
            take(episode)
        progress(len(kept) / count)
    return kept
