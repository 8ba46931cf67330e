"""Foxglove's own library reads the bags, compares their checksums, and decodes each message by the definition in the bag."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory

from rewardbot.data import decode
from rewardbot.data.cdr import serialize
from rewardbot.data.compression import compress as packed
from rewardbot.data.encode import episode_messages
from rewardbot.data.episodes import BagWriter
from rewardbot.robots.robot import RobotContract
from rewardbot.types import Episode


@pytest.mark.parametrize("compress", [False, True])
def test_it_reads_every_message(
    tmp_path: Path, contract: RobotContract, make_episode: Callable[..., Episode], compress: bool
) -> None:
    episode = make_episode()
    messages = list(episode_messages(episode, contract))
    with BagWriter(tmp_path, contract, episode.info, compress=compress) as writer:
        for topic, msgtype, stamp, message in messages:
            cdr = bytes(serialize(message, msgtype))
            if topic == decode.camera_topic("front"):
                topic, msgtype = decode.compressed(topic), decode.COMPRESSED_IMAGE
                cdr = packed(cdr, contract.cameras["front"], "png")
            writer.write(topic, msgtype, stamp, cdr)
    found: dict[str, list[Any]] = {}
    with (writer.path / f"{writer.path.name}.mcap").open("rb") as file:
        reader = make_reader(file, validate_crcs=True, decoder_factories=[DecoderFactory()])
        for _, channel, raw, message in reader.iter_decoded_messages():
            assert channel.topic.endswith(f"/{decode.EPISODE}") or decode.stamp_ns(message) == raw.log_time
            found.setdefault(channel.topic.removeprefix("/rewardbot/"), []).append(message)
        assert [record.name for record in reader.iter_metadata()] == ["rosbag2"]
    assert sum(map(len, found.values())) == len(messages)
    joints = found[decode.APPLIED_ACTION]
    assert joints[0].name == list(contract.action_names)
    np.testing.assert_array_equal(np.array([list(joint.position) for joint in joints], np.float32), episode.applied)
    assert {image.format for image in found[decode.compressed(decode.camera_topic("front"))]} == {"rgb8; png compressed bgr8"}
    for image, pixels in zip(found[decode.camera_topic("wrist")], episode.images["wrist"], strict=True):
        assert (image.encoding, bytes(image.data)) == ("rgb8", pixels.tobytes())
