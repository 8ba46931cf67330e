"""Real cameras behind the topics of the simulated ones: `camera/<name>/image_raw`, in the size of the robot's contract.

All pictures of a tick bear one stamp, so that those of several cameras are joined as an arm's are. A camera that goes away is
waited for; the others go on.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from sensor_msgs.msg import CameraInfo, Image

from rewardbot.config import setting
from rewardbot.data import decode
from rewardbot.errors import ConfigError, unknown_name
from rewardbot.robots.frame_sources import cropped, open_source
from rewardbot.robots.robot import load_contract
from rewardbot.ros import convert, params, qos
from rewardbot.ros.node import LONGEST_WAIT_S, Interrupted, RewardbotNode, start


@dataclass(frozen=True)
class CameraSettings:
    """Read-only parameters."""

    robot: str = setting("webcam", "robot contract in config/robots; gives names and sizes of the cameras")
    sources: str = setting("0", "NAME=SOURCE,... or, for a robot with one camera, SOURCE: number or path of a video device, "
                           "address of a stream, video file, folder of images")
    rate: float = setting(10.0, "pictures a second [Hz]; a source that is slower is published as often as it has a new one",
                          min=0.1, max=240.0)
    loop: bool = setting(True, "whether a video or folder begins again at its end; the node ends when all have ended")


class CameraNode(RewardbotNode):
    """See the module."""

    def __init__(self) -> None:
        super().__init__("camera_node")
        self._sources = {}
        if isinstance(number := self.given.get("sources"), int):
            self.given["sources"] = str(number)  # `-p sources:=0` is a number to ROS
        self.settings = params.declare(self, CameraSettings, self.given)
        self.contract = load_contract(self.settings.robot)
        wanted = sources(self.settings.sources, self.contract.cameras)
        for name, text in wanted.items():
            self._sources[name] = open_source(text, loop=self.settings.loop)
        self._told = dict.fromkeys(wanted, "")
        self._images = {name: self.create_publisher(Image, decode.camera_topic(name), qos.IMAGES_OUT) for name in wanted}
        self._infos = {name: self.create_publisher(CameraInfo, f"camera/{name}/camera_info", qos.IMAGES_OUT) for name in wanted}
        self._due = time.monotonic()

    def work(self) -> float:
        """Publishes a picture of each camera that has a new one, when it is time to.

        Raises:
            Interrupted: every source has ended.
        """
        now = time.monotonic()
        if now < self._due:
            return min(LONGEST_WAIT_S, self._due - now)
        self._due = max(now, self._due + 1.0 / self.settings.rate)  # what was missed is not made up for
        stamp = self.get_clock().now().nanoseconds
        for name, source in self._sources.items():
            frame = source.next()
            if frame is not None:
                self.metrics[f"{name}_size"] = f"{frame.shape[1]}x{frame.shape[0]}"
                size = self.contract.cameras[name]
                self.publish(self._images[name], convert.image(cropped(frame, size.width, size.height), name, stamp))
                if self._infos[name].get_subscription_count():  # nobody pays for what nobody reads
                    self.publish(self._infos[name], convert.uncalibrated(name, size.width, size.height, stamp))
                self.tick()
            self._tell(name, source.trouble)
        if all(source.ended for source in self._sources.values()):
            self.get_logger().info(f"end of {self.settings.sources}")
            raise Interrupted
        return 0.0

    def close(self) -> None:
        """Frees the devices."""
        for source in self._sources.values():
            source.close()

    def _tell(self, name: str, trouble: str) -> None:
        """Says once what is wrong with a camera, and once that all is well again."""
        if trouble != self._told[name]:
            self._told[name] = self.metrics[f"{name}_trouble"] = trouble
            if trouble:
                self.get_logger().warning(f"camera '{name}': {trouble}")
            else:
                self.get_logger().info(f"camera '{name}' gives pictures again")


def sources(text: str, cameras: Iterable[str]) -> dict[str, str]:
    """Camera name -> source, from the parameter `sources`.

    Raises:
        ConfigError: a camera that the robot does not have, none at all, or it is not said which one.
    """
    names = list(cameras)
    if not names:
        raise ConfigError("This robot has no camera.", next_step="Add one to its file in config/robots.")
    if "=" not in text:
        if len(names) > 1:
            raise ConfigError(f"sources is '{text}'.", valid=f"This robot has the cameras {', '.join(names)}: NAME=SOURCE,...",
                              next_step=f"Such as sources:={names[0]}={text or 0}")
        return {names[0]: text}
    found: dict[str, str] = {}
    for part in text.split(","):
        name, _, source = part.partition("=")
        if name not in names:
            raise unknown_name("camera of this robot", name, names)
        found[name] = source
    return found


def main() -> None:
    """The program `camera_node`."""
    start(CameraNode)


if __name__ == "__main__":
    main()
