"""Tells how sure the goal classifier is that the present camera images show success. It sees images and nothing else."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Bool, Float32

from rewardbot.config import setting, user_path
from rewardbot.data import cdr as serialised
from rewardbot.data import decode
from rewardbot.errors import DataError
from rewardbot.robots.robot import RobotContract, load_contract
from rewardbot.ros import params, qos
from rewardbot.ros.node import LONGEST_WAIT_S, RewardbotNode, start
from rewardbot.ros.waiting import Waiting
from rewardbot.ros.weights import NewestWeights

if TYPE_CHECKING:
    from rewardbot.rewards.goal_classifier import DeployedClassifier


@dataclass(frozen=True)
class ClassifierSettings:
    """Read-only parameters."""

    robot: str = setting("sim_arm", "robot contract in config/robots")
    weights: str = setting("", "classifier.safetensors of a run or of labelled pictures; empty: what comes on weights/classifier")
    highest_rate: float = setting(10.0, "most answers a second; frames in between are skipped [Hz]", min=0.1, max=1000.0)


class ClassifierNode(RewardbotNode):
    """Answers the newest complete set of images, at most `highest_rate` times a second; skipped frames are never decoded."""

    def __init__(self) -> None:
        super().__init__("classifier_node")
        self.settings = params.declare(self, ClassifierSettings, self.given)
        self.contract = load_contract(self.settings.robot)
        self._classifier: DeployedClassifier | None = None
        self._weights: NewestWeights | None = None
        self._newest: dict[str, bytes] = {}
        self._heard: set[str] = set()  # cameras that have sent something since the last round
        self._waiting = Waiting(self.get_logger().name)
        self._answered = -1
        self._due = 0.0
        self._probabilities = self.create_publisher(Float32, "goal_probability", qos.COMMANDS)
        self._successes = self.create_publisher(Bool, "success", qos.COMMANDS)
        if self.settings.weights:
            self._classifier = read_classifier(user_path(self.settings.weights), self.contract)
        else:
            self._weights = NewestWeights(self, "weights/classifier", "rewardbot.rewards.goal_classifier")
        for name in self.contract.cameras:
            self.subscribe_raw(Image, decode.camera_topic(name), partial(self._on_image, name), qos.IMAGES_NEWEST)

    def _on_image(self, camera: str, cdr: bytes) -> None:
        self._newest[camera] = cdr
        self._heard.add(camera)

    def work(self) -> float:
        """Answers when it is due and a new set of images is there."""
        if self._weights is not None and (newest := self._weights.take()):
            self._classifier, self._answered = _deployed(newest), -1
        self.metrics["waiting_for"] = self._waiting.look(self._absent())
        now = time.monotonic()
        if self._classifier is None or now < self._due or len(self._newest) < len(self.contract.cameras):
            return LONGEST_WAIT_S
        stamps = [serialised.stamp_ns(cdr) for cdr in self._newest.values()]
        stamp = max(stamps)
        if stamp - min(stamps) < 0.5e9 / self.contract.control_hz and stamp != self._answered:
            images = {name: decode.image(self._decoded(cdr), self.contract.cameras[name]) for name, cdr in self._newest.items()}
            probability = self._classifier.probability(images)
            self.publish(self._probabilities, Float32(data=probability))
            self.publish(self._successes, Bool(data=probability > self._classifier.threshold))
            self.metrics |= {"goal_probability": probability, "threshold": float(self._classifier.threshold)}
            self._answered, self._due = stamp, now + 1.0 / self.settings.highest_rate
            self.tick()
        return LONGEST_WAIT_S

    def _absent(self) -> list[str]:
        """What has to be there for an answer, and is not. A learner that is there sends weights when it has pretrained."""
        silent = [decode.camera_topic(name) for name in self.contract.cameras if name not in self._heard]
        self._heard.clear()
        lacking = self._classifier is None and self._weights is not None and not self._weights.expected
        return [*(["weights/classifier"] if lacking else []), *silent]

    @staticmethod
    def _decoded(cdr: bytes) -> Any:
        return deserialize_message(cdr, Image)


def read_classifier(path: Path, contract: RobotContract) -> DeployedClassifier:
    """The classifier in a file.

    Raises:
        DataError: no such file, no classifier, or the robot's cameras are not those that it was trained with.
    """
    try:
        classifier = _deployed(path.read_bytes())
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror}.",
                        next_step="rewardbot label-goal and rewardbot train write a classifier.safetensors.") from None
    blank = {name: np.zeros((camera.height, camera.width, 3), np.uint8) for name, camera in contract.cameras.items()}
    classifier.probability(blank)  # it refuses what does not fit
    return classifier


def _deployed(data: bytes) -> DeployedClassifier:
    import torch  # see NewestWeights

    from rewardbot.rewards.goal_classifier import DeployedClassifier

    torch.set_num_threads(1)
    return DeployedClassifier(data)


def main() -> None:
    """The program `classifier_node`."""
    start(ClassifierNode)


if __name__ == "__main__":
    main()
