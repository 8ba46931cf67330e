"""Records episodes as rosbag2 MCAP folders, message by message as they came over DDS, without decoding them."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.parameter import Parameter
from rclpy.serialization import deserialize_message
from rclpy.subscription import Subscription

from rewardbot.config import setting, user_path
from rewardbot.data import decode
from rewardbot.data.compression import Compressor
from rewardbot.data.decode import EpisodeEvent
from rewardbot.data.episodes import DEMONSTRATIONS, EPISODES, PLAY, RECORDED
from rewardbot.data.repair import mend
from rewardbot.data.verdicts import read_verdicts
from rewardbot.errors import DataError
from rewardbot.robots.robot import load_contract
from rewardbot.ros import params, qos
from rewardbot.ros.keeping import catch_up
from rewardbot.ros.node import LONGEST_WAIT_S, RewardbotNode, start
from rewardbot.ros.recording import EpisodeRecorder

FOLDERS = {"demonstration": DEMONSTRATIONS, "play": PLAY}
"""Source of an episode that pretraining needs -> its folder."""


@dataclass(frozen=True)
class RecorderSettings:
    """Read-only parameters."""

    robot: str = setting("sim_arm", "robot contract in config/robots")
    run_folder: str = setting("runs/up", f"folder in which '{DEMONSTRATIONS}', '{PLAY}' and '{EPISODES}' are made")
    pre_roll_s: float = setting(0.0, "time before the start of an episode that is in its bag, too [s]", min=0.0, max=60.0)
    images: Literal["raw", "png", "jpeg"] = setting("raw", "camera images in bags: raw as they come, png or jpeg compressed")
    jpeg_quality: int = setting(90, "quality of jpeg images", min=1, max=100)
    least_free_gb: float = setting(1.0, "free space on the disk [GB] below which nothing is recorded", min=0.0)


@dataclass(frozen=True)
class RecorderState:
    """Parameters that may be set at any time; an episode that has begun is finished first."""

    record: Literal["demonstrations", "all", "none"] = setting(
        "demonstrations", "episodes to record: demonstrations (and play), all or none")


class RecorderNode(RewardbotNode):
    """See the module. While nothing is recorded it subscribes to no data at all, which leaves the processor to others."""

    def __init__(self) -> None:
        super().__init__("recorder_node")
        self.settings = params.declare(self, RecorderSettings, self.given)
        self._state = params.declare_live(self, RecorderState, self.given)
        self.contract = load_contract(self.settings.robot)
        self._run_folder = user_path(self.settings.run_folder)
        compressor = None if self.settings.images == "raw" else Compressor(self.settings.images, self.settings.jpeg_quality)
        self.recorder = EpisodeRecorder(
            self.contract, self._folder, wanted=self._wanted, namespace=self.get_namespace(), compressor=compressor,
            pre_roll_s=self.settings.pre_roll_s, least_free_gb=self.settings.least_free_gb)
        said = read_verdicts(self._run_folder)
        for folder in RECORDED:
            for line in mend(self._run_folder / folder):
                self.get_logger().warning(line)
                self.recorder.last_problem = line.replace(f"{self._run_folder / folder}/", "")
            for kept in catch_up(self._run_folder / folder, said):
                self.get_logger().info(f"episode {kept.id} is {kept.fate}, as its operator has said")
        self._data: list[Subscription[Any]] = []
        self.subscribe_raw(DiagnosticArray, decode.EPISODE, self._on_event, qos.EVENTS)
        self._subscribe()
        self.add_post_set_parameters_callback(self._take_change)

    def work(self) -> float:
        """Closes what is complete, and tells at once when an episode was kept or rejected, or has a problem."""
        recorder = self.recorder
        recorder.finish()
        state: dict[str, int | str] = {
            "episodes_saved": recorder.saved, "episodes_rejected": recorder.rejected, "episodes_abandoned": recorder.abandoned,
            "episodes_discarded": recorder.discarded, "episodes_open": recorder.open, "episodes_ending": recorder.ending,
            "last_rejection": recorder.last_rejection, "last_problem": recorder.last_problem}
        news = any(self.metrics.get(key) != value for key, value in state.items())
        self.metrics |= {"record": self._state.record, **state}
        if news:
            self.publish_metrics()
        return LONGEST_WAIT_S

    def close(self) -> None:
        """Breaks off an unfinished episode."""
        self.recorder.close()

    def _folder(self, event: EpisodeEvent) -> Path:
        return self._run_folder / FOLDERS.get(event.info.source, EPISODES)

    def _wanted(self, event: EpisodeEvent) -> bool:
        return self._state.record == "all" or (self._state.record == "demonstrations" and event.info.source in FOLDERS)

    def _subscribe(self) -> None:
        if self._state.record == "none":
            for subscription in self._data:
                self.destroy_subscription(subscription)
            self._data = []
        elif not self._data:
            for topic, kind in decode.episode_topics(self.contract).items():
                if topic != decode.EPISODE:
                    quality = qos.IMAGES_ALL if topic.startswith("camera/") else qos.STATE
                    self._data.append(self.subscribe_raw(_message_class(kind), topic, partial(self._on_data, topic), quality))

    def _on_event(self, cdr: bytes) -> None:
        try:
            event = decode.episode_event(deserialize_message(cdr, DiagnosticArray))
        except DataError as error:
            self.get_logger().warning(str(error))
            return
        self.recorder.event(event, cdr)

    def _on_data(self, topic: str, cdr: bytes) -> None:
        self.recorder.add(topic, cdr)
        self.tick()

    def _take_change(self, changes: list[Parameter[Any]]) -> None:
        self._state = params.rebuild(self._state, {change.name: change.value for change in changes})
        self._subscribe()


def _message_class(name: str) -> Any:
    package, _, kind = name.split("/")
    return getattr(importlib.import_module(f"{package}.msg"), kind)


def main() -> None:
    """The program `recorder_node`."""
    start(RecorderNode)


if __name__ == "__main__":
    main()
