"""What is set for DDS, and that large images arrive with it."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace
from typing import Any

import pytest
from sensor_msgs.msg import Image

from rewardbot.config import share_path
from rewardbot.errors import ConfigError, RewardbotError
from rewardbot.ros import environment, qos
from rewardbot.ros.environment import LEAST_SHARED, check_domain, check_shared_memory, set_defaults
from rewardbot.ros.job_node import JobNode

pytestmark = pytest.mark.ros

CAMERA = """
import sys, time
import numpy as np, rclpy
from sensor_msgs.msg import Image
from rewardbot.ros import convert, qos
rclpy.init()
node = rclpy.create_node("camera", namespace="rewardbot")
publisher = node.create_publisher(Image, "large", qos.IMAGES_OUT)
while publisher.get_subscription_count() < 1:
    time.sleep(0.02)
pixels = np.zeros((480, 640, 3), np.uint8)
for number in range(40):
    publisher.publish(convert.image(pixels, "front", number))
    time.sleep(0.03)
sys.stdin.readline()
"""


def test_what_the_user_has_set_stays() -> None:
    environment = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET", "FASTRTPS_DEFAULT_PROFILES_FILE": "mine.xml"}
    set_defaults(environment)
    assert environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "SUBNET"
    assert "FASTDDS_DEFAULT_PROFILES_FILE" not in environment
    empty: dict[str, str] = {}
    set_defaults(empty)
    assert empty["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert empty["FASTDDS_DEFAULT_PROFILES_FILE"] == str(share_path("config/fastdds.xml"))


@pytest.mark.parametrize("name", ["fastdds", "fastdds_udp"])
def test_profiles_name_the_transports_that_they_describe(name: str) -> None:
    space = {"d": "http://www.eprosima.com"}
    tree = ElementTree.parse(share_path(f"config/{name}.xml"))
    described = {item.text for item in tree.findall(".//d:transport_descriptor/d:transport_id", space)}
    used = {item.text for item in tree.findall(".//d:userTransports/d:transport_id", space)}
    assert described == used and used


def test_images_of_900_kilobytes_arrive(client: Any) -> None:
    camera = subprocess.Popen([sys.executable, "-c", CAMERA], stdin=subprocess.PIPE)
    try:
        images = client.collect(Image, "large", qos.IMAGES_ALL)
        # Sensor data may be lost when the machine is busy; without our profile nearly all of it is.
        client.wait(lambda: len(images) >= 30, "30 of 40 large images")
    finally:
        camera.communicate(b"\n", timeout=30.0)


@pytest.mark.parametrize("domain", ["500", "abc", "-3", "1.5"])
def test_a_domain_that_is_none_is_refused_before_dds_is_loaded(domain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", domain)
    with pytest.raises(ConfigError, match=r"ROS_DOMAIN_ID is(.|\n)*0 to 232"):
        JobNode("rewardbot", lambda: None)
    node = subprocess.run([sys.executable, "-m", "rewardbot.ros.recorder_node"], text=True, capture_output=True, timeout=60,
                          check=False)
    assert node.returncode == 2 and "ROS_DOMAIN_ID is" in node.stderr and "Traceback" not in node.stderr


@pytest.mark.parametrize("helps", [True, False])
def test_full_shared_memory_is_told_unless_dead_processes_fill_it(helps: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    free = [LEAST_SHARED - 1]
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda folder: SimpleNamespace(free=free[-1]))
    monkeypatch.setattr(environment, "remove_dead_segments", lambda: free.append(LEAST_SHARED if helps else 7))
    if helps:
        check_shared_memory()
    else:
        with pytest.raises(RewardbotError, match=r"/dev/shm is full: 7 bytes are free(.|\n)*--shm-size"):
            JobNode("rewardbot", lambda: None)
    assert len(free) == 2


@pytest.mark.parametrize("domain", ["", " 7 ", "0", "232"])
def test_a_domain_that_is_one(domain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", domain)
    check_domain()
