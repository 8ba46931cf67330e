"""Whether the deployed classifier judges the last images of episodes as the truth does."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from rclpy.serialization import deserialize_message
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image
from std_msgs.msg import UInt8MultiArray

from rewardbot.data import cdr as serialised
from rewardbot.data import decode
from rewardbot.robots.robot import RobotContract
from rewardbot.ros import qos
from rewardbot.ros.job_node import JobNode
from rewardbot.ros.loading import Loading
from rewardbot.ros.node import take_all
from rewardbot.training.rates import Verdict, classifier_errors
from rewardbot.training.summary import ClassifierErrors
from rewardbot.types import Source

if TYPE_CHECKING:
    from rewardbot.rewards.goal_classifier import DeployedClassifier

KEPT = 64
"""Images of each camera that are kept until the end of their episode is announced."""


class ClassifierCheck:
    """Listens to cameras and classifier weights while it is open, and judges each ended episode with the newest weights.

    A context manager.

    Args:
        node: the job's.
        contract: the robot's.

    Attributes:
        verdicts: source of an episode -> the verdict on each judged one, oldest first.
    """

    def __init__(self, node: JobNode, contract: RobotContract) -> None:
        self._job, self._contract = node, contract
        self.verdicts: defaultdict[Source, list[Verdict]] = defaultdict(list)
        self._taken: defaultdict[Source, int] = defaultdict(int)
        self._classifier: DeployedClassifier | None = None
        self._sent, self._loading = b"", Loading("rewardbot.rewards.goal_classifier")
        self._images: dict[str, dict[int, bytes]] = {name: {} for name in contract.cameras}
        self._seen = len(node.scores.scores)
        self._weights = self._listen(UInt8MultiArray, "weights/classifier", qos.LATCHED)
        self._cameras = {name: self._listen(Image, decode.camera_topic(name), qos.IMAGES_ALL, raw=True)
                         for name in contract.cameras}

    def work(self) -> None:
        """Judges the last images of the episodes that have ended since. To be called a few times a second."""
        for message in take_all(self._weights):
            self._sent = bytes(message.data)
        if self._loading.done() and self._sent:
            from rewardbot.rewards.goal_classifier import DeployedClassifier

            self._classifier, self._sent = DeployedClassifier(self._sent), b""
        for name, subscription in self._cameras.items():
            images = self._images[name]
            for cdr in take_all(subscription):
                stamp = serialised.stamp_ns(cdr)
                images.pop(stamp, None)  # of the time before the robot's clock began again
                images[stamp] = cdr
            while len(images) > KEPT:
                del images[next(iter(images))]
        for score in self._job.scores.scores[self._seen :]:
            stamp = score.event.stamp_ns
            known = score.success is not None and all(stamp in kept for kept in self._images.values())
            if known and self._classifier is not None:
                pixels = {name: decode.image(deserialize_message(kept[stamp], Image), self._contract.cameras[name])
                          for name, kept in self._images.items()}
                probability = self._classifier.probability(pixels)
                self.verdicts[score.event.info.source].append(
                    Verdict(probability > self._classifier.threshold, bool(score.success), probability))
        self._seen = len(self._job.scores.scores)

    def take(self, source: Source) -> list[Verdict]:
        """The verdicts on episodes of one source that have come since the last call."""
        first, self._taken[source] = self._taken[source], len(self.verdicts[source])
        return self.verdicts[source][first:]

    def rates(self, source: Source, last: int = 0) -> ClassifierErrors:
        """Shares of wrong verdicts on episodes of one source; on the newest `last` only, if given."""
        return classifier_errors(self.verdicts[source][-last:])

    def _listen(self, kind: Any, topic: str, quality: Any, *, raw: bool = False) -> Subscription[Any]:
        return self._job.node.create_subscription(
            kind, topic, _never, quality, callback_group=self._job.polled, raw=raw)

    def __enter__(self) -> ClassifierCheck:
        return self

    def __exit__(self, *exception: object) -> None:
        for subscription in (self._weights, *self._cameras.values()):
            self._job.node.destroy_subscription(subscription)


def _never(message: Any) -> None:
    """The callback of a polled subscription."""
