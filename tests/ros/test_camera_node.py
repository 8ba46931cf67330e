"""camera_node over real DDS: a folder, a video of another size, a camera that is not there, the end of a file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import CameraInfo, Image

from rewardbot.data import decode
from rewardbot.errors import ConfigError
from rewardbot.robots.robot import load_contract
from rewardbot.ros import convert, qos
from rewardbot.ros.camera_node import sources
from tests.ros.test_bad_input import ended

pytestmark = pytest.mark.ros


def save(folder: Path, levels: list[int], size: tuple[int, int] = (128, 96)) -> Path:
    """Pictures, each of one grey level in its middle square and white beside it."""
    folder.mkdir()
    width, height = size
    for number, level in enumerate(levels):
        picture = np.full((height, width, 3), 255, np.uint8)
        picture[:, (width - height) // 2 : (width + height) // 2] = level
        cv2.imwrite(str(folder / f"{number}.png"), picture)
    return folder


def film(path: Path, frames: int, size: tuple[int, int]) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20.0, size)
    for number in range(frames):
        writer.write(np.full((size[1], size[0], 3), 5 * number, np.uint8))
    writer.release()
    return path


def test_a_folder_in_the_contracts_size_under_one_stamp(start_node: Any, client: Any, tmp_path: Path) -> None:
    front, wrist = save(tmp_path / "front", [50, 100]), save(tmp_path / "wrist", [150])
    node = start_node("camera_node", "-p", "robot:=sim_arm", "-p", f"sources:=front={front},wrist={wrist}", "-p", "rate:=50.0")
    contract = load_contract("sim_arm")
    seen = {name: client.collect(Image, decode.camera_topic(name), qos.IMAGES_ALL) for name in contract.cameras}
    infos = client.collect(CameraInfo, "camera/front/camera_info", qos.IMAGES_ALL)
    metrics: list[DiagnosticArray] = client.collect(DiagnosticArray, "metrics", qos.EVENTS)
    client.wait(lambda: len(seen["front"]) >= 6 and len(seen["wrist"]) >= 6 and len(infos) > 0, "pictures")
    levels = [{int(level) for level in np.unique(decode.image(message, contract.cameras["front"]))} for message in seen["front"]]
    assert levels[:4] in ([{50}, {100}, {50}, {100}], [{100}, {50}, {100}, {50}]), "cut, resized, in turn, again and again"
    stamps = [{decode.stamp_ns(message) for message in messages} for messages in seen.values()]
    assert len(stamps[0] & stamps[1]) >= 5, "both cameras' pictures of a tick bear one stamp"
    assert abs(max(stamps[0]) / 1e9 - time.time()) < 5.0 and seen["front"][0].header.frame_id == "front_optical_frame"
    assert (infos[0].width, infos[0].height, infos[0].k[0]) == (64, 64, 0.0), "not calibrated"

    def told() -> bool:  # not the first metrics: they tell whom the node has found, before there is a rate
        values = convert.metrics_of(metrics[-1])["camera_node"] if metrics else {}
        return values.get("front_size") == "128x96" and float(values.get("rate_hz", 0.0)) > 20

    client.wait(told, "its size and rate")
    assert node.end() == 0


def test_a_video_of_another_size_and_its_end(start_node: Any, client: Any, tmp_path: Path) -> None:
    path = film(tmp_path / "v.avi", 40, (320, 240))
    seen: list[Image] = []
    client.node.create_subscription(Image, decode.camera_topic("webcam"), seen.append, qos.IMAGES_ALL)
    node = start_node("camera_node", "-p", f"sources:={path}", "-p", "rate:=40.0", "-p", "loop:=false", ready=False)
    client.wait(lambda: node.popen.poll() is not None, "its end")
    assert node.popen.returncode == 0 and any(f"end of {path}" in line for line in node.output)
    size = load_contract("webcam").cameras["webcam"]
    assert seen and decode.image(seen[-1], size).shape == (96, 96, 3)
    levels = [float(decode.image(message, size).mean()) for message in seen]
    assert levels == sorted(levels) and len(levels) <= 40, "each picture at most once, in its order"


def test_a_picture_that_cannot_be_read_is_told(start_node: Any, client: Any, tmp_path: Path) -> None:
    folder = save(tmp_path / "pictures", [50, 100])
    (folder / "2.png").write_bytes(b"no image")
    node = start_node("camera_node", "-p", f"sources:={folder}")
    node.wait_for_line("camera 'webcam': 2.png is no readable image")
    node.wait_for_line("gives pictures again")
    assert node.end() == 0


@pytest.mark.parametrize(("arguments", "said"), [
    (["sources:=99"], "There is no camera '99', or another program has it."),
    (["sources:=/dev/video99"], "rewardbot doctor"),
    (["sources:=nowhere.mp4"], "no picture to be had from 'nowhere.mp4'"),
    (["robot:=sim_arm"], "sources:=front=0"),
    (["rate:=0.0"], "at least 0.1"),
])
def test_what_cannot_be_shown_ends_with_a_clear_error(arguments: list[str], said: str, start_node: Any) -> None:
    given = [part for argument in arguments for part in ("-p", argument)]
    assert said in ended(start_node("camera_node", *given, ready=False), "error: ")


@pytest.mark.parametrize(("text", "cameras", "found"), [
    ("0", ["webcam"], {"webcam": "0"}),
    ("/dev/video2", ["webcam"], {"webcam": "/dev/video2"}),
    ("webcam=a b.mp4", ["webcam"], {"webcam": "a b.mp4"}),
    ("wrist=1", ["front", "wrist"], {"wrist": "1"}),
    ("wrist=1,front=rtsp://camera/one", ["front", "wrist"], {"wrist": "1", "front": "rtsp://camera/one"}),
])
def test_sources_by_camera(text: str, cameras: list[str], found: dict[str, str]) -> None:
    assert sources(text, cameras) == found


@pytest.mark.parametrize(("text", "cameras", "said"), [
    ("0", ["front", "wrist"], "cameras front, wrist"), ("wrst=0", ["front", "wrist"], "Did you mean 'wrist'"),
    ("0", [], "no camera")])
def test_sources_that_are_not_clear(text: str, cameras: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        sources(text, cameras)
