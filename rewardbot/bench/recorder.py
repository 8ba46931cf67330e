"""The recorder with three 640x480 cameras at 30 Hz and joints at 100 Hz: dropped frames, share of the processor, bytes per
second, and what is lost when it is killed at random moments.

All are real processes over real DDS: a robot that only pretends, and recorder_node as it is. A frame is dropped when it was
sent within the episode and is not in the bag, whichever side lost it. After a kill the recorder is started again, which
repairs what is there; the time lost is from the last message of the slowest topic in the repaired bag to the last one that
was sent before the kill. An episode counts as finished when its bag is in its place, or a second after its end was sent.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import yaml

from rewardbot.config import to_mapping
from rewardbot.data import decode
from rewardbot.data.episodes import DEMONSTRATIONS, list_episodes, raw_messages, read_episode, read_header
from rewardbot.data.quality import PROBLEMS
from rewardbot.errors import DataError, RobotError
from rewardbot.robots.robot import CameraContract, RobotContract
from rewardbot.ros.graph import NodeStart, Value
from rewardbot.ros.supervisor import Supervisor
from rewardbot.training.bench import BenchOptions, BenchResult, Cell, Report, Target
from rewardbot.training.files import write_atomic

T = TypeVar("T")
CONTRACT = RobotContract(
    name="three_cameras", control_hz=30.0, cameras={name: CameraContract(640, 480) for name in ("front", "side", "wrist")})
JOINT_HZ = 100.0
PERIOD_NS = round(decode.NS_PER_S / CONTRACT.control_hz)
ROBOT, RECORDER = "pretended_robot", "recorder_node"
KILLED = (("raw", 0.0), ("jpeg", 1.0))
"""Kinds of images and pre-roll [s] of the recorders that are killed, in turn."""

SETTLED_S = 1.0
"""Time after an end from which on the episode counts as finished [s]."""

PATIENCE_S = 120.0


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        images: the kinds of images that are recorded, each for `seconds`.
        kills: how many.
        episode_s: length of the episodes in which recorders are killed [s].
        latest_s: how long after the beginning of an episode at most; it may hit that one, or what follows [s].
    """

    images: tuple[str, ...] = ("raw", "jpeg", "png")
    seconds: float = 60.0
    kills: int = 20
    episode_s: float = 3.0
    latest_s: float = 5.0


QUICK = Size(("raw",), 1.0, 1, 2.0, 0.8)


def run(options: BenchOptions, report: Report) -> BenchResult:
    """First the recordings without a kill, then the kills."""
    seed, size = options.seeds[0] if options.seeds else 0, QUICK if options.quick else Size()
    with TemporaryDirectory(prefix="recorder-", dir=options.folder()) as folder:
        rows: list[dict[str, Cell]] = []
        for index, images in enumerate(size.images):
            report(0.5 * index / len(size.images), f"{images} images, {size.seconds:.0f} s")
            rows.append(record(Path(folder) / images, images, size.seconds))
        kills = kill(Path(folder) / "kills", size, random.Random(seed), lambda share, detail: report(0.5 + 0.5 * share, detail))
    targets = [
        Target.at_most("dropped frames", sum(int(row["dropped"] or 0) for row in rows), 0),
        Target.at_most("finished episodes lost", kills.lost, 0),
        Target.at_most("seconds lost of the running episode", max(kills.seconds, default=None), 1.0)]
    return BenchResult([seed], [*rows, kills.row()], targets)


class Scene:
    """A folder with the robot's contract, and what the pretended robot says.

    Attributes:
        bags: where the recorder puts the episodes.
        linked: how many recorders have found every topic so far.
        starts: episode -> stamp of its start [ns].
        ends: episode -> what is said of its end.
    """

    def __init__(self, folder: Path) -> None:
        self.bags = folder / DEMONSTRATIONS
        self.linked = 0
        self.starts: dict[str, int] = {}
        self.ends: dict[str, dict[str, Any]] = {}
        self._folder, self._contract = folder, folder / f"{CONTRACT.name}.yaml"
        self._namespace = f"/bench_{uuid.uuid4().hex[:12]}"
        folder.mkdir(parents=True)
        write_atomic(self._contract, yaml.safe_dump(to_mapping(CONTRACT)))

    def robot(self, **parameters: Value) -> Supervisor:
        """The pretended robot, not started yet."""
        return self._node(ROBOT, joint_hz=JOINT_HZ, **parameters)

    def recorder(self, images: str, pre_roll_s: float = 0.0) -> Supervisor:
        """A recorder, not started yet."""
        return self._node(RECORDER, run_folder=str(self._folder), images=images, pre_roll_s=pre_roll_s)

    def unfinished(self) -> set[str]:
        """Episodes that are being written, or were when the recorder was killed."""
        return {path.stem for path in self.bags.glob("*.part")}

    def bag(self, name: str) -> Path | None:
        """The bag of an episode, rejected or not."""
        return next((path for path in (self.bags / name, self.bags / f"{name}.rejected") if path.is_dir()), None)

    def _node(self, name: str, **parameters: Value) -> Supervisor:
        start = NodeStart(name, self._namespace, {"robot": str(self._contract), **parameters}, (), {}, (), (), "never")
        return Supervisor([start], log=self._listen)

    def _listen(self, node: str, line: str) -> None:
        if node == ROBOT and line.startswith("{"):
            said = json.loads(line)
            if said["kind"] == "linked":
                self.linked += 1
            elif said["kind"] == "start":
                self.starts[said["id"]] = said["stamp"]
            else:
                self.ends[said["id"]] = said


def record(folder: Path, images: str, seconds: float) -> dict[str, Cell]:
    """One episode of that length: its line of the table.

    Frames are the messages of all topics. CPU: seconds of the processor per second of the episode; packed: share of the images
    that is compressed; stored: from the end of the episode until its bag is in its place; late: the latest that was sent.
    """
    scene = Scene(folder)
    with scene.recorder(images) as recorder, scene.robot(episode_s=seconds, episodes=1) as robot:
        for node in (recorder, robot):
            node.start()
            node.wait_ready()
        nodes = (recorder, robot)
        (name,) = _wait(lambda: list(scene.starts), nodes, "an episode")
        used, begun = cpu_seconds(recorder.pid(RECORDER)), time.monotonic()
        end = _wait(lambda: scene.ends.get(name), nodes, "its end", seconds)
        used, elapsed = cpu_seconds(recorder.pid(RECORDER)) - used, time.monotonic() - begun
        bag = _wait(lambda: scene.bag(name), nodes, "its bag", seconds)
        closed = time.monotonic() - begun - elapsed
    stored, packed, size = contents(bag, end["start"], end["stamp"])
    images_sent = sum(count for topic, count in end["sent"].items() if topic.startswith("camera/"))
    row: dict[str, Cell] = {
        "run": f"{seconds:g} s {images}", "frames": sum(end["sent"].values()),
        "dropped": sum(max(0, count - stored[topic]) for topic, count in end["sent"].items()),
        "CPU": round(used / elapsed, 3), "MB/s": round(size / seconds / 1e6, 2), "packed": round(packed / images_sent, 3),
        "stored s": round(closed, 2), "late ms": round(max(sent - stamp for stamp, sent in end["ticks"]) / 1e6, 1),
        "problems": len(read_header(bag).info.extra.get(PROBLEMS, ()))}
    shutil.rmtree(folder)
    return row


@dataclass
class Kills:
    """What kills cost.

    Attributes:
        finished: episodes that were finished when a recorder was killed.
        lost: those of them that were not there or not whole afterwards.
        seconds: of each episode that was running, what was missing of it when the recorder was killed [s].
    """

    kills: int = 0
    finished: int = 0
    lost: int = 0
    seconds: list[float] = field(default_factory=list)

    def row(self) -> dict[str, Cell]:
        """A line of the table."""
        worst, middle = (round(of(self.seconds), 3) if self.seconds else None for of in (max, median))
        return {"run": f"{self.kills} kills", "finished": self.finished, "lost": self.lost, "running": len(self.seconds),
                "s lost": worst, "median": middle}

    def judge(self, scene: Scene, killed_ns: int, finished: set[str], running: set[str]) -> None:
        """Looks at what the next recorder has made of what was left, and clears it away."""
        self.kills += 1
        for name in running:
            bag = scene.bag(name)
            kept = max(newest_of_slowest(bag) if bag is not None else 0, scene.starts[name])
            sent = max((stamp for stamp, sent in scene.ends[name]["ticks"] if sent <= killed_ns), default=kept)
            self.seconds.append(max(0, sent - kept) / decode.NS_PER_S)
        for name in finished:
            bag = scene.bag(name)
            self.finished += 1
            self.lost += bag is None or not (_whole(bag) or newest_of_slowest(bag) >= scene.ends[name]["stamp"] - PERIOD_NS)
            if bag is not None:
                shutil.rmtree(bag)


def kill(folder: Path, size: Size, draw: random.Random, report: Report) -> Kills:
    """Kills recorders while a robot does one episode after the other."""
    scene, found = Scene(folder), Kills()
    with scene.robot(episode_s=size.episode_s) as robot:
        robot.start()
        robot.wait_ready()
        left: tuple[int, set[str], set[str]] | None = None
        for number in range(size.kills + 1):
            report(number / (size.kills + 1), f"{number} of {size.kills} kills")
            images, pre_roll_s = KILLED[number % len(KILLED)]
            with scene.recorder(images, pre_roll_s) as recorder:
                recorder.start()
                recorder.wait_ready()  # it has repaired what was there
                if left is not None:
                    running = left[2]
                    _wait(lambda running=running: running <= scene.ends.keys(), (robot, recorder), "an end")
                    found.judge(scene, *left)
                if number == size.kills:
                    break
                _wait(lambda number=number: scene.linked > number, (robot, recorder), "the recorder to find every topic")
                begun = scene.unfinished()
                (first,) = _wait(lambda begun=begun: scene.unfinished() - begun, (robot, recorder), "an episode")
                until = time.monotonic() + draw.uniform(0.0, size.latest_s)
                _wait(lambda until=until: time.monotonic() >= until, (robot, recorder), "the moment")
                killed_ns = time.time_ns()
                os.kill(recorder.pid(RECORDER), signal.SIGKILL)
                left = left_by(scene, first, killed_ns)
    return found


def left_by(scene: Scene, first: str, killed_ns: int) -> tuple[int, set[str], set[str]]:
    """When a recorder was killed whose first episode was `first`, and which episodes were finished and running then."""
    stored = {path.name for path in list_episodes(scene.bags)}
    latest = killed_ns - SETTLED_S * decode.NS_PER_S
    settled = {name for name, end in scene.ends.items() if name >= first and end["ticks"][-1][1] <= latest}
    running = {name for name in scene.unfinished() if name in scene.starts and name not in scene.ends}
    return killed_ns, stored | settled, running


def contents(bag: Path, start_ns: int, end_ns: int) -> tuple[Counter[str], int, int]:
    """Messages of each topic within an episode, how many images are compressed, and the size of the bag [bytes]."""
    stored: Counter[str] = Counter()
    packed = 0
    for topic, _, stamp, _ in raw_messages(bag):
        if start_ns <= stamp <= end_ns:
            stored[decode.uncompressed(topic)] += 1
            packed += topic != decode.uncompressed(topic)
    return stored, packed, sum(path.stat().st_size for path in bag.iterdir())


def newest_of_slowest(bag: Path) -> int:
    """Up to where all topics of a bag go [ns]; 0 for one that cannot be read."""
    newest = dict.fromkeys((topic for topic in decode.episode_topics(CONTRACT) if topic != decode.EPISODE), 0)
    try:
        for topic, _, stamp, _ in raw_messages(bag):
            if (name := decode.uncompressed(topic)) in newest:
                newest[name] = max(newest[name], stamp)
    except DataError:
        return 0
    return min(newest.values())


def cpu_seconds(pid: int) -> float:
    """Time that a process has used of the processor [s]."""
    numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")


def _whole(bag: Path) -> bool:
    try:
        read_episode(bag, pixels=False)
    except DataError:
        return False
    return True


def _wait(found: Callable[[], T | None], nodes: Sequence[Supervisor], what: str, longer_s: float = 0.0) -> T:
    """Waits for something true, and looks after the nodes meanwhile."""
    until = time.monotonic() + PATIENCE_S + longer_s
    while not (result := found()):
        for node in nodes:
            node.poll()
        if time.monotonic() > until:
            raise RobotError(f"Waited {PATIENCE_S + longer_s:.0f} s for {what}.")
        time.sleep(0.02)
    return result
