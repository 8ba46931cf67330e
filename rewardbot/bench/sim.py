"""Environment steps per second of the simulated cell by cameras, image size and shadows, and of the lockstep loop over ROS 2 beside
the same loop in one process.

A step is an action, one control period, its images, and a share of the episode's reset. Other programs on the machine only
ever slow a measurement down. Therefore every case is measured in many short windows, all cases in turn, and the best window
counts: the nearest that can be had to a quiet machine. The rows also hold the median, and the steps per second of processor time,
which other programs disturb least.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Literal

import torch

from rewardbot.errors import ConfigError
from rewardbot.policies.base import DeployedPolicy, policy_to_bytes
from rewardbot.policies.bc import BCConfig, BehaviourCloning
from rewardbot.robots.demonstrators import ScriptedDemonstrator
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.robot import RobotContract, load_contract
from rewardbot.robots.start_states import start_seed
from rewardbot.training.bench import BenchOptions, BenchResult, Cell, Report, Target
from rewardbot.types import PROPRIO_NAMES

TASK = "lift"
CAMERAS = ((0, 64), (1, 64), (2, 64), (1, 128), (2, 128))
"""How many cameras, and the side of their images."""

SHADED_STEPS = 5
"""With shadows a step can take a quarter of a second, so that a few must do."""

LEAST_STEPS_PER_S = 350.0
"""Of two 128 px cameras."""

LEAST_SHARE = 0.6
"""Of the lockstep loop over ROS in the loop in one process."""

Mode = Literal["demonstrate", "explore"]
COMMANDS: dict[Mode, str] = {"explore": "policy", "demonstrate": "scripted operator"}


@dataclass(frozen=True)
class Windows:
    """How long to measure: so many rounds through the cases, and in each so many episodes of a case."""

    rounds: int
    episodes: int


@dataclass
class Case:
    """A kind of loop, and the time of each episode that it has done [s]; `cpu`: that of the processor, where it is known."""

    row: dict[str, Cell]
    episodes: Callable[[int], list[float]]
    steps: int
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def best(self) -> float:
        """Steps per second in the fastest episode."""
        return self.steps / min(self.seconds)

    @property
    def usual(self) -> float:
        """Steps per second in the median episode."""
        return self.steps / median(self.seconds)


def run(options: BenchOptions, report: Report) -> BenchResult:
    """First the cell in this process, then the two loops in turn."""
    torch.set_num_threads(1)
    # As the nodes have it: with a thread per core the software renderer takes the core of the other node.
    os.environ.setdefault("LP_NUM_THREADS", "1")
    seed = options.seeds[0] if options.seeds else 0
    windows = Windows(1, 1) if options.quick else Windows(20, 2)
    cell = measure_cell(windows, seed, lambda share, detail: report(share / 2, detail))
    loops = measure_loops(windows, seed, lambda share, detail: report(0.5 + share / 2, detail))
    rows = [shown(case) for case in cell]
    for mode, (inside, over) in loops.items():
        rows += [shown(inside), {**shown(over), "share": round(over.best / inside.best, 3),
                                 "share, median": round(over.usual / inside.usual, 3)}]
        rows[-1]["commands"] = rows[-2]["commands"] = COMMANDS[mode]
    fastest = next(case.best for case in cell if (case.row["cameras"], case.row["px"], case.row["shadows"]) == (2, 128, False))
    targets = [Target.at_least("two 128 px cameras: steps/s", fastest, LEAST_STEPS_PER_S)]
    targets += [Target.at_least(f"ROS lockstep, {COMMANDS[mode]}: share of in process", over.best / inside.best, LEAST_SHARE)
                for mode, (inside, over) in loops.items()]
    return BenchResult([seed], rows, targets)


def shown(case: Case) -> dict[str, Cell]:
    """Its row of the table."""
    row = {**case.row, "steps/s": round(case.best, 1), "median": round(case.usual, 1)}
    return row | ({"steps per CPU s": round(case.steps / min(case.cpu), 1)} if case.cpu else {})


def in_turn(cases: Sequence[Case], windows: Windows, report: Report) -> None:
    """Measures the cases one after the other, again and again, so that a busy minute meets all of them."""
    for round_ in range(windows.rounds):
        for index, case in enumerate(cases):
            what = ", ".join(f"{name} {value}" for name, value in case.row.items() if value is not None)
            report((round_ + index / len(cases)) / windows.rounds, what)
            case.seconds += case.episodes(windows.episodes)


def measure_cell(windows: Windows, seed: int, report: Report) -> list[Case]:
    """Cameras, sizes and shadows, with the scripted operator's commands."""
    robots: list[MujocoRobot] = []
    cases: list[Case] = []
    try:
        for shadows in (False, True):
            for count, side in CAMERAS:
                if shadows and not count:
                    continue
                robot = MujocoRobot(TASK, with_cameras(load_contract(), count, side), render=count > 0, shadows=shadows)
                robots.append(robot)
                row: dict[str, Cell] = {"loop": "in process", "cameras": count, "px": side if count else None, "shadows": shadows}
                steps = SHADED_STEPS if shadows else robot.task.horizon
                cases.append(in_process(row, Loop(robot, "demonstrate", seed, steps)))
        in_turn([case for case in cases if not case.row["shadows"]], windows, lambda share, detail: report(share / 2, detail))
        in_turn([case for case in cases if case.row["shadows"]], replace(windows, episodes=1, rounds=min(windows.rounds, 3)),
                lambda share, detail: report(0.5 + share / 2, detail))
        return cases
    finally:
        for robot in robots:
            robot.close()


def measure_loops(windows: Windows, seed: int, report: Report) -> dict[Mode, tuple[Case, Case]]:
    """The loop in this process and the one of sim_node and policy_node, with the same policy or the same scripted operator."""
    try:
        from rewardbot.ros.lockstep import Lockstep
    except ModuleNotFoundError as error:
        raise ConfigError(f"ROS 2 is not here: {error}.", next_step="make venv, or source your ROS 2 install.") from None
    contract = load_contract()
    weights = untrained(contract)
    robot = MujocoRobot(TASK, contract)
    side = next(iter(contract.cameras.values())).width
    row: dict[str, Cell] = {"cameras": len(contract.cameras), "px": side, "shadows": False}
    found: dict[Mode, tuple[Case, Case]] = {}
    try:
        with Lockstep(TASK, seed, weights) as ros:

            def over(mode: Mode) -> Callable[[int], list[float]]:
                return lambda count: ros.episodes(mode, count)

            for mode in COMMANDS:
                steps = robot.task.horizon
                found[mode] = (in_process({"loop": "in process", **row}, Loop(robot, mode, seed, steps, weights)),
                               Case({"loop": "ROS lockstep", **row}, over(mode), steps))
            in_turn([case for pair in found.values() for case in pair], windows, report)
    finally:
        robot.close()
    return found


class Loop:
    """The loop in this process: called with a number of episodes, it returns how long each took, its reset included [s]."""

    def __init__(self, robot: MujocoRobot, mode: Mode, seed: int, steps: int, weights: bytes = b"") -> None:
        self._robot, self._mode, self._seed, self.steps, self._done = robot, mode, seed, steps, 0
        self.cpu: list[float] = []
        self._operator = ScriptedDemonstrator(robot, seed=seed)
        self._policy = DeployedPolicy(weights) if weights else None

    def __call__(self, count: int) -> list[float]:
        return [self._episode() for _ in range(count)]

    def _episode(self) -> float:
        robot, start = self._robot, start_seed(self._seed, self._done)
        self._done += 1
        begin, used = time.perf_counter(), time.process_time()
        observation = robot.reset(start)
        self._operator.begin_episode(start)
        if self._policy is not None:
            self._policy.begin_episode(start)
        for _ in range(self.steps):
            if self._mode == "explore" and self._policy is not None:
                action = self._policy.act(observation, explore=True)
            else:
                action = self._operator.act()
            robot.send(action)
            observation = robot.read()
            robot.true_success()  # sim_node tells it too
        self.cpu.append(time.process_time() - used)
        return time.perf_counter() - begin


def in_process(row: dict[str, Cell], loop: Loop) -> Case:
    """The case of a loop in this process."""
    return Case(row, loop, loop.steps, cpu=loop.cpu)


def with_cameras(contract: RobotContract, count: int, side: int) -> RobotContract:
    """The contract with the first `count` cameras only, at `side` x `side` pixels."""
    cameras = list(contract.cameras.items())[:count]
    return replace(contract, cameras={name: replace(camera, width=side, height=side) for name, camera in cameras})


def untrained(contract: RobotContract) -> bytes:
    """Weights of a policy that acts at random, and takes as long as a trained one."""
    cameras = {name: (camera.height, camera.width) for name, camera in contract.cameras.items()}
    torch.manual_seed(0)
    cloning = BehaviourCloning(BCConfig(), cameras, len(PROPRIO_NAMES), contract.action_dim)
    description = {"version": 1, "task": TASK, "cameras": cameras, "robot": contract.name}
    return policy_to_bytes({"encoder": cloning.frozen_encoder()}, {"explore": ("encoder", cloning.policy)}, description)
