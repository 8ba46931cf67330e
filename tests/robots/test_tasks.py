"""Each task can be done, is not done by chance, begins anew each time, and shows its goal to the cameras."""

from __future__ import annotations

from collections.abc import Callable

from rewardbot.robots.mujoco import MujocoRobot

# isort: split
# The line above comes before mujoco and chooses what draws.
import mujoco
import numpy as np
import pytest
from numpy.typing import NDArray

from rewardbot.robots.demonstrators import ScriptedDemonstrator
from rewardbot.robots.env import env_id
from rewardbot.robots.tasks import load_task, task_names
from rewardbot.robots.tasks.task import OBJECT_RANGE, place

OBJECT = {"drawer": "cabinet", "lift": "cube", "pencil_case": "pencil_case", "push": "puck", "reach": "ball"}
"""The body that starts anywhere in a square of side 2 `OBJECT_RANGE`."""

TREMBLING = {"drawer": 17, "lift": 12, "pencil_case": 17, "push": 17, "reach": 17}
"""Fewest successes of 20 of an operator whose hand trembles as by default."""

ROBOTS: dict[str, MujocoRobot] = {}


@pytest.fixture(params=task_names())
def robot(request: pytest.FixtureRequest) -> MujocoRobot:
    """Without cameras; made once per task."""
    return ROBOTS.setdefault(request.param, MujocoRobot(request.param, render=False))


def outcomes(
    robot: MujocoRobot, act: Callable[[], NDArray[np.float32]], episodes: int, begin: Callable[[int], None] = lambda start: None
) -> int:
    """Episodes of which the goal holds at the last step."""
    successes = 0
    for start in range(episodes):
        robot.reset(start)
        begin(start)
        for _ in range(robot.task.horizon):
            robot.send(act())
            robot.read()
        successes += robot.true_success()
    return successes


def test_a_steady_hand_hardly_ever_fails(robot: MujocoRobot):
    """An episode ends here once the goal has held for half a second; to the end they run below."""
    operator, failures = ScriptedDemonstrator(robot, noise=0.0), []
    for start in range(40):
        robot.reset(start)
        operator.begin_episode(start)
        held = steps = 0
        while held < 5 and steps < robot.task.horizon:
            robot.send(operator.act())
            robot.read()
            held, steps = held + 1 if robot.true_success() else 0, steps + 1
        if not held:
            failures.append(start)
    assert len(failures) <= 2, failures


def test_a_trembling_hand_mostly_succeeds(robot: MujocoRobot):
    operator = ScriptedDemonstrator(robot, seed=0)
    assert outcomes(robot, operator.act, 20, operator.begin_episode) >= TREMBLING[robot.task_name]


def test_chance_does_not_do_it(robot: MujocoRobot):
    rng = np.random.default_rng(0)
    assert outcomes(robot, lambda: rng.uniform(-1, 1, 4).astype(np.float32), 10) <= (robot.task_name == "reach")


def test_starts_are_spread_and_never_done(robot: MujocoRobot):
    places = []
    for start in range(200):
        robot.reset(start)
        assert not robot.true_success(), start
        places.append(robot.data.body(OBJECT[robot.task_name]).xpos[:2].copy())
    span = np.ptp(places, axis=0)
    assert np.all(span > 1.9 * OBJECT_RANGE) and np.all(span <= 2 * OBJECT_RANGE)
    robot.reset(7)
    np.testing.assert_array_equal(robot.data.body(OBJECT[robot.task_name]).xpos[:2], places[7])


def test_what_nobody_touches_stays_where_it_is(robot: MujocoRobot):
    arm = len(robot.contract.joint_names) + 2
    assert robot.model.opt.timestep == 0.004 and robot.model.opt.cone == mujoco.mjtCone.mjCONE_ELLIPTIC
    for start in range(3):
        robot.reset(start)
        before = robot.data.qpos[arm:].copy()
        for _ in range(10):
            robot.send(np.array([0.0, 0.0, 0.0, 1.0]))
        np.testing.assert_allclose(robot.data.qpos[arm:], before, atol=1e-3)


def test_names_of_environments():
    assert env_id("lift") == "rewardbot/Lift-v0" and env_id("pencil_case") == "rewardbot/PencilCase-v0"


def slide_open(robot: MujocoRobot, distance: float = 0.1) -> None:
    robot.data.joint("drawer").qpos[0] = distance


def put(robot: MujocoRobot, behind: float = 0.08, aside: float = 0.0, height: float = 0.018) -> None:
    """The case relative to the notebook, which is put in the middle, turned by 0.1 rad."""
    middle, turned = np.array([0.455, 0.01, 0.03]), 0.1
    place(robot.model, robot.data, "notebook", middle, yaw=turned)
    x, y = -behind * np.cos(turned) - aside * np.sin(turned), -behind * np.sin(turned) + aside * np.cos(turned)
    place(robot.model, robot.data, "pencil_case", np.array([middle[0] + x, middle[1] + y, height]))


def knock_over(robot: MujocoRobot) -> None:
    put(robot)
    first = int(robot.model.joint("notebook").qposadr[0])
    robot.data.qpos[first + 2 : first + 7] = [0.011, np.sqrt(0.5), 0.0, np.sqrt(0.5), 0.0]


@pytest.mark.parametrize(("task", "change", "done"), [
    ("drawer", lambda robot: slide_open(robot, 0.078), False),
    ("drawer", lambda robot: slide_open(robot, 0.082), True),
    ("pencil_case", put, True),
    ("pencil_case", lambda robot: put(robot, behind=0.12, aside=-0.045), True),
    ("pencil_case", lambda robot: put(robot, behind=-0.08), False),
    ("pencil_case", lambda robot: put(robot, behind=0.14), False),
    ("pencil_case", lambda robot: put(robot, aside=0.055), False),
    ("pencil_case", lambda robot: put(robot, height=0.05), False),
    ("pencil_case", lambda robot: put(robot, behind=0.0, height=0.078), False),
    ("pencil_case", knock_over, False),
])
def test_what_counts_as_done(task: str, change: Callable[[MujocoRobot], None], done: bool):
    robot = ROBOTS.setdefault(task, MujocoRobot(task, render=False))
    robot.reset(0)
    change(robot)
    mujoco.mj_forward(robot.model, robot.data)
    assert robot.true_success() == done


@pytest.mark.parametrize(("task", "change"), [("drawer", slide_open), ("pencil_case", put)])
def test_the_goal_shows_in_the_front_image(task: str, change: Callable[[MujocoRobot], None]):
    """The same start, the arm in the same place, with and without the goal."""
    robot = MujocoRobot(task)
    before = robot.reset(0).images
    change(robot)
    mujoco.mj_forward(robot.model, robot.data)
    after = robot.read().images
    robot.close()
    changed = np.abs(after["front"].astype(int) - before["front"]).max(axis=2) > 40
    assert changed.sum() >= 40


@pytest.mark.parametrize("task", task_names())
def test_the_start_shows_in_both_images(task: str):
    """The arm stays in its place, only the things move."""
    robot = MujocoRobot(task)
    before = robot.reset(0).images
    load_task(task).randomise(robot.model, robot.data, np.random.default_rng(5))
    mujoco.mj_forward(robot.model, robot.data)
    after = robot.read().images
    robot.close()
    for name, image in after.items():
        assert (np.abs(image.astype(int) - before[name]).max(axis=2) > 40).sum() >= 8, name
