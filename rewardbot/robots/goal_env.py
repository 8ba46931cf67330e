"""The simulated tasks whose goal is that things are somewhere, as gymnasium environments that are told where:
`rewardbot/ReachGoal-v0` and `rewardbot/PushGoal-v0`. Whoever learns to bring things where it is told can do the task, too, whose
own goal an episode begins with.

Things are the tool and the free objects, in this order. What is set as a goal is where an object was brought; where none was moved,
where the tool was brought.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from rewardbot.errors import ConfigError
from rewardbot.robots.state_env import FAR, UNIT_M, StateEnv
from rewardbot.robots.tasks import load_task, task_names

Points = NDArray[np.float64]

NEAR_M = 0.025
"""How near a thing must be to its goal [m]: as the strictest of the tasks wants it."""


class GoalEnv(StateEnv):
    """A task from its state and a goal.

    Observation, float32 (S,): that of `StateEnv` without fixed objects and lengths, and for each thing how far it has to go [dm, base
    frame], 0 where its place does not matter. Actions, reward and `info` are those of `StateEnv`: about the task, whatever the goal.

    Args:
        task: task name.
        robot: name of the robot contract.

    Attributes:
        goal: where things should be, float64 (P, 3) [m, base frame]; NaN where it does not matter. `reset` makes it the task's own.

    Raises:
        ConfigError: unknown task or robot, or a task of another kind.
    """

    def __init__(self, task: str, *, robot: str = "sim_arm") -> None:
        check_goal_task(task)
        super().__init__(task, robot=robot)
        self._seen = 7 + 7 * len(self._free) + len(self._slides)
        self.goal: Points = np.full((1 + len(self._free), 3), np.nan)
        self.observation_space = spaces.Box(-FAR, FAR, (self._seen + self.goal.size,), np.float32)

    @property
    def points(self) -> Points:
        """Where the tool and the free objects are, float64 (P, 3) [m, base frame]."""
        return np.stack([self.robot.tool, *(self.robot.data.qpos[start : start + 3] for start in self._free)])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begins an episode with the task's own goal; see `StateEnv.reset`."""
        _, info = super().reset(seed=seed, options=options)
        wanted = self.robot.task.places(self.robot.model, self.robot.data)
        assert wanted is not None
        return self.aim(wanted), info

    def aim(self, goal: Points) -> NDArray[np.float32]:
        """Sets the goal, (P, 3), and observes."""
        self.goal = np.array(goal, np.float64)
        return self._state()

    def toward(self, seen: NDArray[np.float32], points: Points, goal: Points) -> NDArray[np.float32]:
        """What would have been observed instead of `seen`, (S,), with things at `points`, had that been the goal."""
        away = np.nan_to_num((goal - points) / UNIT_M).ravel()
        return np.concatenate([seen[: self._seen], np.clip(away, -FAR, FAR).astype(np.float32)])

    def shown(self, start: Points, points: Points) -> Points:
        """The goal that is set by having brought things from `start` to `points`, each (P, 3)."""
        goal = points.copy()
        if (np.linalg.norm(goal - start, axis=-1)[1:] > NEAR_M).any():
            goal[0] = np.nan
        return goal

    def reached(self, points: Points, goal: Points) -> bool:
        """Whether each thing that matters is near enough."""
        return not bool((np.linalg.norm(goal - points, axis=-1) > NEAR_M).any())  # NaN is not above it

    def _state(self) -> NDArray[np.float32]:
        return self.toward(super()._state(), self.points, self.goal)


def goal_tasks() -> list[str]:
    """Names of the tasks whose goal is that things are somewhere."""
    from rewardbot.robots.tasks.task import Task

    return [name for name in task_names() if type(load_task(name)).places is not Task.places]


def check_goal_task(task: str) -> None:
    """Checks that it is one.

    Raises:
        ConfigError: unknown, or a task with another kind of goal.
    """
    if task not in goal_tasks():
        load_task(task)
        raise ConfigError(f"The goal of task '{task}' is not that things are somewhere.",
                          valid=f"Tasks with such a goal: {', '.join(goal_tasks())}.")


def goal_env_id(task: str) -> str:
    """The registered name of a task's environment: `rewardbot/ReachGoal-v0` for `reach`."""
    return f"rewardbot/{task.title().replace('_', '')}Goal-v0"


def register_goal_envs() -> None:
    """Makes them known to gymnasium; importing this module does it. May be called twice."""
    for task in goal_tasks():
        if goal_env_id(task) not in gymnasium.registry:
            gymnasium.register(goal_env_id(task), entry_point=f"{__name__}:GoalEnv", kwargs={"task": task})


register_goal_envs()
