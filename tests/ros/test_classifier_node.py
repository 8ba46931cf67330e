"""classifier_node with the weights of a file: it answers over DDS, and says what does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import Image
from std_msgs.msg import Bool, Float32

from rewardbot.data import decode
from rewardbot.rewards.image_classifier import ImageClassifierConfig, fit
from rewardbot.ros import convert, qos
from tests.ros.test_bad_input import ended

pytestmark = pytest.mark.ros


def picture(bright: bool, number: int = 0) -> np.ndarray:
    """The goal is a bright spot on the left."""
    found = np.random.default_rng(number).integers(0, 60, (96, 96, 3), dtype=np.uint8)
    found[30:60, 10:40] = 250 if bright else 30
    return found


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    images = np.stack([picture(number % 2 == 0, number) for number in range(20)])
    classifier = fit(ImageClassifierConfig(steps=40), {"webcam": images}, np.arange(20) % 2 == 0)
    path = tmp_path_factory.mktemp("weights") / "classifier.safetensors"
    path.write_bytes(classifier.to_bytes({"task": "", "cameras": {"webcam": [96, 96]}}))
    return path


def test_it_answers_with_the_weights_of_a_file(start_node: Any, client: Any, weights: Path) -> None:
    node = start_node("classifier_node", "-p", "robot:=webcam", "-p", f"weights:={weights}", "-p", "highest_rate:=1000.0")
    probabilities = client.collect(Float32, "goal_probability", qos.COMMANDS)
    successes = client.collect(Bool, "success", qos.COMMANDS)
    camera = client.publisher(Image, decode.camera_topic("webcam"), qos.IMAGES_OUT)
    # We have found it. An answer that it gives before it has found us is lost, and it gives each one once.
    metrics = client.collect(DiagnosticArray, "metrics", qos.EVENTS)
    client.wait(lambda: bool(metrics) and convert.metrics_of(metrics[-1])["classifier_node"]["links_out"] == 3, "it to find us")

    def shown(bright: bool) -> None:
        before = len(successes)
        message = convert.image(picture(bright, 99), "webcam", (before + 1) * decode.NS_PER_S)
        client.wait(lambda: len(successes) > before or camera.publish(message), "an answer")

    for bright in (True, False, True):
        shown(bright)
    assert [message.data for message in successes] == [True, False, True]
    assert probabilities[0].data > 0.8 and probabilities[1].data < 0.2
    assert client.node.count_subscribers("weights/classifier") == 0, "a learner is not listened to"
    assert node.end() == 0


@pytest.mark.parametrize(("robot", "change", "said"), [
    ("webcam", "nowhere", "Cannot read"), ("sim_arm", "", "Camera 'webcam' is missing"),
    ("webcam", "damaged", "not the weights of a rewardbot classifier")])
def test_weights_that_cannot_be_used(robot: str, change: str, said: str, start_node: Any, weights: Path, tmp_path: Path) -> None:
    path = weights if not change else tmp_path / "classifier.safetensors"
    if change == "damaged":
        path.write_bytes(weights.read_bytes()[:-9])
    ended(start_node("classifier_node", "-p", f"robot:={robot}", "-p", f"weights:={path}", ready=False), said)
