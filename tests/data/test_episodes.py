"""Bags: what is written is what is read, and what cannot be used is refused with a reason."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from rosbags.interfaces import QosReliability
from rosbags.rosbag2 import Reader, StoragePlugin, Writer

from rewardbot.data import decode
from rewardbot.data.cdr import serialize
from rewardbot.data.compression import Compression, compress
from rewardbot.data.demonstrations import read_demonstrations
from rewardbot.data.encode import StampedMessage, episode_messages
from rewardbot.data.episodes import (
    BagWriter,
    DiskFull,
    NotWhole,
    change_info,
    discard,
    list_episodes,
    read_episode,
    read_header,
    write_episode,
)
from rewardbot.data.repair import repair
from rewardbot.errors import DataError
from rewardbot.robots.robot import CameraContract, RobotContract
from rewardbot.types import Episode
from tests.full_disk import full_disk

FRONT = "camera/front/image_raw"
Make = Callable[..., Episode]
Same = Callable[[Episode, Episode], None]


def put(writer: BagWriter, message: StampedMessage) -> None:
    topic, msgtype, stamp, content = message
    writer.write(topic, msgtype, stamp, serialize(content, msgtype))


def record(folder: Path, episode: Episode, contract: RobotContract, keep: Callable[[StampedMessage], bool]) -> Path:
    """A recording that holds the messages for which `keep` is true."""
    with BagWriter(folder, contract, episode.info) as writer:
        for message in filter(keep, episode_messages(episode, contract)):
            put(writer, message)
    return writer.path


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), steps=st.integers(1, 5), start_ns=st.integers(0, 2**31 * 10**9 - 10**9),
       success=st.none() | st.booleans(), terminated=st.booleans())
def test_round_trip_is_bit_exact(
    contract: RobotContract, make_episode: Make, assert_same: Same, seed: int, steps: int, start_ns: int,
    success: bool | None, terminated: bool,
) -> None:
    episode = make_episode(seed=seed, steps=steps, start_ns=start_ns, success=success, terminated=terminated)
    with tempfile.TemporaryDirectory() as folder:
        path = write_episode(Path(folder), episode, contract)
        assert path == Path(folder) / "e1"
        assert_same(read_episode(path, contract, "reach"), episode)


@pytest.mark.parametrize("compress", [False, True])
def test_what_the_recorder_wrote(
    tmp_path: Path, contract: RobotContract, make_episode: Make, assert_same: Same, compress: bool
) -> None:
    """Topics outside an episode are kept, the verdict is the one at the end, and nothing shows before that."""
    episode = make_episode()
    before = replace(episode.info, success=None)
    writer = BagWriter(tmp_path / "new", contract, before, namespace="/arm/left/", compress=compress)
    for message in episode_messages(replace(episode, info=before), contract):
        put(writer, message)
        put(writer, message._replace(topic=f"teleop/{message.topic}"))
    assert list_episodes(tmp_path / "new") == []
    assert writer.close(episode.info) == writer.path
    assert list_episodes(tmp_path / "new") == [writer.path]
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["e1", "e1.mcap", "metadata.yaml", "new"]
    assert_same(read_episode(writer.path), episode)
    header = read_header(writer.path)
    assert (header.info, header.contract, header.namespace) == (episode.info, contract, "arm/left")


def test_the_bag_is_what_ros2_bag_expects(tmp_path: Path, contract: RobotContract, make_episode: Make) -> None:
    path = write_episode(tmp_path, make_episode(), contract)
    about = yaml.safe_load((path / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert (about["version"], about["storage_identifier"], about["relative_file_paths"]) == (9, "mcap", ["e1.mcap"])
    assert json.loads(about["custom_data"]["rewardbot"])["info"]["task"] == "reach"
    assert b'"task": "reach"' in b" ".join((path / "e1.mcap").read_bytes().split())  # the MCAP file's own metadata
    with Reader(path) as reader:
        for name in ("joint_states", "tool_pose", FRONT, "requested_action", "applied_action", "episode"):
            (connection,) = reader.topics[f"/rewardbot/{name}"].connections
            assert connection.digest.startswith("RIHS01_")
            assert reader.topics[f"/rewardbot/{name}"].msgdef.data
            (qos,) = getattr(connection.ext, "offered_qos_profiles")  # noqa: B009  (its type is a union)
            assert (qos.reliability == QosReliability.BEST_EFFORT) == name.startswith("camera/")


def test_a_recording_that_fails_leaves_nothing(tmp_path: Path, contract: RobotContract, make_episode: Make) -> None:
    messages = list(episode_messages(make_episode(), contract))
    info = make_episode().info
    with pytest.raises(DataError, match="unknown message type"), BagWriter(tmp_path, contract, info) as w:
        put(w, messages[0])
        w.write("odd", "my_msgs/msg/Odd", 0, b"")
    with pytest.raises(DataError, match="negative stamp"), BagWriter(tmp_path, contract, info) as w:
        w.write("episode", messages[0].msgtype, -1, b"")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("id", ["", "../e1", "a/b", "e1.part", ".hidden", "x" * 200])
def test_an_id_that_is_no_file_name(tmp_path: Path, contract: RobotContract, make_episode: Make, id: str) -> None:
    with pytest.raises(DataError, match="cannot be an episode's id"):
        write_episode(tmp_path, make_episode(id), contract)


def test_nothing_is_overwritten(tmp_path: Path, contract: RobotContract, make_episode: Make) -> None:
    write_episode(tmp_path, make_episode(), contract)
    with pytest.raises(DataError, match="exists already"):
        write_episode(tmp_path, make_episode(), contract)
    BagWriter(tmp_path, contract, make_episode("e2").info)
    with pytest.raises(DataError, match="interrupted recording"):
        write_episode(tmp_path, make_episode("e2"), contract)
    writer = BagWriter(tmp_path, contract, make_episode("e3").info)
    with pytest.raises(DataError, match="cannot be closed as 'e4'"):
        writer.close(make_episode("e4").info)


def test_a_folder_that_cannot_be_written(tmp_path: Path, contract: RobotContract, make_episode: Make) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="Cannot write episode"):
        write_episode(tmp_path / "file", make_episode(), contract)


def test_a_bag_that_is_cut_off(tmp_path: Path, contract: RobotContract, make_episode: Make) -> None:
    path = write_episode(tmp_path, make_episode(), contract)
    mcap = path / "e1.mcap"
    whole = mcap.read_bytes()
    for length in {0, 8, 60, len(whole) - 1, *np.linspace(9, len(whole) - 2, 12, dtype=int).tolist()}:
        mcap.write_bytes(whole[:length])
        with pytest.raises(DataError, match="cut off or damaged"):
            read_episode(path)


@pytest.mark.parametrize("content", ["", "[]", "{", "rosbag2_bagfile_information: {version: 9}"])
def test_metadata_that_are_damaged(tmp_path: Path, contract: RobotContract, make_episode: Make, content: str) -> None:
    path = write_episode(tmp_path, make_episode(), contract)
    (path / "metadata.yaml").write_text(content)
    with pytest.raises(DataError, match="cut off or damaged"):
        read_header(path)


@pytest.mark.parametrize(("custom", "says"), [
    (None, "not recorded by rewardbot"), ("{", "cannot be read"), ('{"format": 2}', "has format 2"),
    ("[]", "cannot be read"), ('{"format": 1, "info": {"id": 3}, "contract": {}, "namespace": ""}', "cannot be read"),
])
def test_a_bag_of_others(tmp_path: Path, custom: str | None, says: str) -> None:
    with Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        if custom is not None:
            writer.set_custom_data("rewardbot", custom)
    with pytest.raises(DataError, match=says):
        read_episode(tmp_path / "bag")


def test_a_bag_without_messages(tmp_path: Path, contract: RobotContract, make_episode: Make) -> None:
    path = record(tmp_path, make_episode(), contract, lambda _: False)
    with pytest.raises(DataError, match="it holds no episode"):
        read_episode(path)


def test_another_task(tmp_path: Path, contract: RobotContract, make_episode: Make) -> None:
    path = write_episode(tmp_path, make_episode(task="push"), contract)
    with pytest.raises(DataError, match="'push'"):
        read_episode(path, contract, "reach")
    with pytest.raises(DataError, match="'push'"):
        read_demonstrations(tmp_path, contract, "reach")


@pytest.mark.parametrize(("cameras", "says"), [
    ({"front": CameraContract(8, 10)}, "another image size of camera 'front'"),
    ({"front": CameraContract(10, 8), "side": CameraContract(8, 8)}, "no camera 'side'"),
])
def test_other_cameras(
    tmp_path: Path, contract: RobotContract, make_episode: Make, cameras: dict[str, CameraContract], says: str
) -> None:
    path = write_episode(tmp_path, make_episode(), contract)
    with pytest.raises(DataError, match=says):
        read_episode(path, replace(contract, cameras=cameras))


def test_fewer_cameras_than_recorded(tmp_path: Path, contract: RobotContract, make_episode: Make) -> None:
    path = write_episode(tmp_path, make_episode(), contract)
    episode = read_episode(path, replace(contract, cameras={"wrist": CameraContract(8, 8)}))
    assert np.array_equal(episode.images["wrist"], make_episode().images["wrist"])
    assert list(episode.images) == ["wrist"]


@pytest.mark.parametrize("change", [{"action_scale": 0.01}, {"control_hz": 20.0}, {"action_names": ("x", "y")}])
def test_actions_that_mean_something_else(
    tmp_path: Path, contract: RobotContract, make_episode: Make, change: dict[str, Any]
) -> None:
    path = write_episode(tmp_path, make_episode(), contract)
    with pytest.raises(DataError, match=next(iter(change))):
        read_episode(path, replace(contract, **change))


@pytest.mark.parametrize(("lost", "says"), [
    (lambda m: m.topic == FRONT, f"{FRONT} did not reach its end"),
    (lambda m: m.topic == FRONT and m.stamp_ns == 900_000_000, f"{FRONT} has no message"),
    (lambda m: m.topic == "applied_action" and m.stamp_ns == 900_000_000, "applied_action did not reach its end"),
    (lambda m: m.topic == "episode" and m.message.status[0].name == "end", "not ended"),
    (lambda m: m.topic == "episode" and m.message.status[0].name == "start", "its start was not seen"),
])
def test_a_recording_with_a_hole(
    tmp_path: Path, contract: RobotContract, make_episode: Make, lost: Callable[[StampedMessage], bool], says: str
) -> None:
    path = record(tmp_path, make_episode(), contract, lambda message: not lost(message))
    with pytest.raises(DataError, match=says):
        read_episode(path)


@pytest.mark.parametrize("topic", ["joint_states", "applied_action"])
def test_nan_in_a_recording(tmp_path: Path, contract: RobotContract, make_episode: Make, topic: str) -> None:
    def spoil(message: StampedMessage) -> bool:
        if message.topic == topic:
            message.message.position[-1] = float("nan")
        return True

    path = record(tmp_path, make_episode(), contract, spoil)
    with pytest.raises(DataError, match=f"{topic}: .*not finite"):
        read_episode(path)


def test_bytes_that_are_no_message(tmp_path: Path, contract: RobotContract, make_episode: Make) -> None:
    with BagWriter(tmp_path, contract, make_episode().info) as writer:
        writer.write("joint_states", "sensor_msgs/msg/JointState", 0, b"\x00\x01\x00\x00\x01")
    with pytest.raises(DataError, match="e1 is damaged: /rewardbot/joint_states"):
        read_episode(writer.path)


def test_no_folder_and_nothing_in_it(tmp_path: Path, contract: RobotContract) -> None:
    for call in (lambda p: list_episodes(p), lambda p: read_demonstrations(p, contract, "reach")):
        with pytest.raises(DataError, match="no folder"):
            call(tmp_path / "missing")
    with pytest.raises(DataError, match="no episode bag"):
        read_episode(tmp_path / "missing")
    assert list_episodes(tmp_path) == []
    with pytest.raises(DataError, match="holds no demonstrations at all"):
        read_demonstrations(tmp_path, contract, "reach")


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_compressed_images(
    tmp_path: Path, contract: RobotContract, make_episode: Make, assert_same: Same, kind: Compression
) -> None:
    """Some of them are, as when there was no time to compress all."""
    episode = make_episode()
    with BagWriter(tmp_path, contract, episode.info) as writer:
        for k, message in enumerate(episode_messages(episode, contract)):
            if message.msgtype != "sensor_msgs/msg/Image" or k % 4 == 0:
                put(writer, message)
                continue
            camera = contract.cameras[message.topic.split("/")[1]]
            data = compress(bytes(serialize(message.message, message.msgtype)), camera, kind)
            writer.write(f"{message.topic}/compressed", decode.COMPRESSED_IMAGE, message.stamp_ns, data)
    found = read_episode(writer.path, contract, "reach")
    if kind == "png":
        assert_same(found, episode)
    else:
        assert_same(replace(found, images=episode.images), episode)
        assert found.images["front"].shape == episode.images["front"].shape
    with Reader(writer.path) as reader:
        assert "/rewardbot/camera/front/image_raw/compressed" in reader.topics


def test_without_pixels_all_is_checked_and_none_are_kept(tmp_path: Path, contract: RobotContract, make_episode: Make) -> None:
    episode = make_episode()
    found = read_episode(write_episode(tmp_path / "good", episode, contract), pixels=False)
    assert found.images == {} and found.applied.tobytes() == episode.applied.tobytes()

    def spoil(message: StampedMessage) -> bool:
        if message.topic == FRONT and message.stamp_ns == 900_000_000:
            message.message.encoding = "mono8"
        return True

    with pytest.raises(NotWhole, match="mono8") as caught:
        read_episode(record(tmp_path / "bad", episode, contract, spoil), pixels=False)
    assert caught.value.reason.startswith(f"{FRONT}: The image is encoded as 'mono8'.")


def test_messages_before_the_episode_change_nothing(
    tmp_path: Path, contract: RobotContract, make_episode: Make, assert_same: Same
) -> None:
    """What went before, with actions of its own, and what comes after."""
    before, episode, after = (make_episode(f"e{k}", start_ns=(1 + 5 * k) * 10**8, seed=k) for k in range(3))
    with BagWriter(tmp_path, contract, episode.info) as writer:
        for one in (before, episode, after):
            for message in episode_messages(one, contract):
                if one is episode or message.topic != "episode":
                    put(writer, message)
    assert_same(read_episode(writer.path), episode)


def test_an_episode_of_one_step(tmp_path: Path, contract: RobotContract, make_episode: Make, assert_same: Same) -> None:
    one = make_episode(steps=1)
    assert_same(read_episode(write_episode(tmp_path, one, contract)), one)


def test_an_episode_of_no_step(tmp_path: Path, contract: RobotContract, make_episode: Make) -> None:
    start, *messages, end = episode_messages(make_episode(steps=1), contract)
    end.message.header = start.message.header
    next(item for item in end.message.status[0].values if item.key == "steps").value = "0"
    with BagWriter(tmp_path, contract, make_episode().info) as writer:
        for message in (start, *messages, end._replace(stamp_ns=start.stamp_ns)):
            put(writer, message)
    with pytest.raises(NotWhole, match="it has no steps"):
        read_episode(writer.path)


def test_a_later_verdict_is_all_that_changes(tmp_path: Path, contract: RobotContract, make_episode: Make, assert_same: Same) -> None:
    episode = make_episode(success=None)
    path = write_episode(tmp_path, episode, contract)
    before = yaml.safe_load((path / "metadata.yaml").read_text())
    judged = replace(episode, info=replace(episode.info, success=True, extra={**episode.info.extra, "who": "Ä"}))
    change_info(path, judged.info)
    assert read_header(path).info == judged.info
    assert_same(read_episode(path), judged)
    after = yaml.safe_load((path / "metadata.yaml").read_text())
    for about in (before, after):
        about["rosbag2_bagfile_information"].pop("custom_data")
    assert before == after and sorted(file.name for file in path.iterdir()) == ["e1.mcap", "metadata.yaml"]
    with Reader(path) as reader:
        (connection,) = reader.topics[f"/rewardbot/{FRONT}"].connections
        (qos,) = getattr(connection.ext, "offered_qos_profiles")  # noqa: B009  (its type is a union)
        assert qos.reliability == QosReliability.BEST_EFFORT
    with pytest.raises(DataError, match="cannot become episode 'e2'"):
        change_info(path, replace(episode.info, id="e2"))


VERDICTS = """
import sys
from dataclasses import replace
from pathlib import Path
from rewardbot.data.episodes import change_info, read_header
path = Path(sys.argv[1])
info = read_header(path).info
print("begun", flush=True)
while True:
    info = replace(info, success=not info.success)
    change_info(path, info)
"""


def test_a_kill_leaves_the_old_verdict_or_the_new_one(tmp_path: Path, contract: RobotContract, make_episode: Make) -> None:
    path = write_episode(tmp_path, make_episode(), contract)
    for delay in (0.02, 0.045, 0.1):
        judge = subprocess.Popen([sys.executable, "-c", VERDICTS, str(path)], stdout=subprocess.PIPE)
        assert judge.stdout is not None and judge.stdout.readline() == b"begun\n"
        time.sleep(delay)
        judge.kill()
        judge.communicate()
        assert read_header(path).info.success in (True, False)
        assert len(read_episode(path)) == 4


def test_a_verdict_on_a_full_disk(tmp_path: Path, contract: RobotContract, make_episode: Make) -> None:
    path = write_episode(tmp_path, make_episode(), contract)
    with full_disk(100), pytest.raises(DiskFull, match="What was stored before is whole"):
        change_info(path, replace(make_episode().info, success=False))
    assert read_header(path).info == make_episode().info
    assert sorted(file.name for file in path.iterdir()) == ["e1.mcap", "metadata.yaml"]


def test_discarded_episodes_are_kept_and_not_listed(tmp_path: Path, contract: RobotContract, make_episode: Make) -> None:
    path = discard(write_episode(tmp_path, make_episode(), contract))
    assert path == tmp_path / "e1.discarded" and read_header(path).info.id == "e1" and list_episodes(tmp_path) == []


def test_a_disk_that_fills_up_while_recording(tmp_path: Path, contract: RobotContract, make_episode: Make) -> None:
    """The writer says so and can be discarded; a bag that cannot be finished stays for `repair`."""
    messages = list(episode_messages(make_episode(steps=400), contract))
    with full_disk(0), pytest.raises(DiskFull):
        BagWriter(tmp_path, contract, make_episode().info)
    assert list(tmp_path.iterdir()) == [], "nothing is in the way of the next one"
    writer = BagWriter(tmp_path, contract, make_episode().info)
    with full_disk(100_000):
        with pytest.raises(DiskFull, match="Cannot write episode"):
            for message in messages:
                put(writer, message)
        writer.discard()
        assert list(tmp_path.iterdir()) == []
    writer = BagWriter(tmp_path, contract, make_episode().info)
    for message in messages:
        put(writer, message)
    with full_disk(2000), pytest.raises(DiskFull):
        writer.close(make_episode().info)
    writer.abandon()
    assert repair(tmp_path / "e1.part") in (tmp_path / "e1", tmp_path / "e1.rejected")


RECORDER = """
import sys, time
from pathlib import Path
import numpy as np
from rewardbot.data.episodes import BagWriter, episode_messages, serialize
from rewardbot.robots.robot import CameraContract, RobotContract
from rewardbot.types import Episode, EpisodeInfo
T, contract = 60, RobotContract(cameras={"front": CameraContract(64, 64)})
images = {"front": np.full((T + 1, 64, 64, 3), 7, np.uint8)}
info = EpisodeInfo("e1", "reach", "sim_arm", "demonstration")
zeros = np.zeros((T + 1, 4), np.float32)
episode = Episode(info, np.arange(T + 1) / 10, images, zeros, zeros[:T], zeros[:T])
writer = BagWriter(Path(sys.argv[1]), contract, info)
for topic, msgtype, stamp, message in episode_messages(episode, contract):
    writer.write(topic, msgtype, stamp, serialize(message, msgtype))
print("written", flush=True)
time.sleep(600)
"""


def test_a_killed_recorder_loses_little(tmp_path: Path) -> None:
    recorder = subprocess.Popen([sys.executable, "-c", RECORDER, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert recorder.stdout is not None
        assert recorder.stdout.readline() == b"written\n"
    finally:
        recorder.send_signal(signal.SIGKILL)
        recorder.communicate()
    assert list_episodes(tmp_path) == []
    path = repair(tmp_path / "e1.part")
    assert path == tmp_path / "e1.rejected"
    assert [p.name for p in tmp_path.iterdir()] == ["e1.rejected"]
    assert list_episodes(tmp_path) == []
    with Reader(path) as reader:
        frames = reader.topics["/rewardbot/camera/front/image_raw"].msgcount
    assert 61 - frames <= (256 << 10) / (64 * 64 * 3)
    with pytest.raises(DataError, match="not ended"):
        read_episode(path)


@pytest.mark.parametrize("lost", [0, 1, 100, 3000])
def test_repair_gives_a_whole_episode_back(
    tmp_path: Path, contract: RobotContract, make_episode: Make, assert_same: Same, lost: int
) -> None:
    """As after a kill between the last message and the renaming."""
    episode = make_episode()
    whole = write_episode(tmp_path / "a", episode, contract)
    writer = BagWriter(tmp_path, contract, replace(episode.info, success=None))
    writer.abandon()
    content = (whole / "e1.mcap").read_bytes()
    (tmp_path / "e1.part" / "e1" / "e1.mcap").write_bytes(content[: len(content) - lost])
    path = repair(tmp_path / "e1.part")
    assert path == tmp_path / "e1"
    assert_same(read_episode(path, contract), episode)


def test_repair_refuses_what_it_cannot_mend(tmp_path: Path, contract: RobotContract, make_episode: Make) -> None:
    path = write_episode(tmp_path, make_episode(), contract)
    with pytest.raises(DataError, match="not an interrupted recording"):
        repair(path)
    BagWriter(tmp_path, contract, make_episode("e2").info).abandon()
    for content in (b"", b"something else", bytes(100)):
        (tmp_path / "e2.part" / "e2" / "e2.mcap").write_bytes(content)
        with pytest.raises(DataError, match="holds no messages"):
            repair(tmp_path / "e2.part")


def test_raw_messages_of_rclpy(tmp_path: Path, contract: RobotContract, make_episode: Make, assert_same: Same) -> None:
    """The bytes of `create_subscription(..., raw=True)` go into the bag as they are."""
    pytest.importorskip("rclpy")
    from diagnostic_msgs.msg import DiagnosticArray
    from geometry_msgs.msg import PoseStamped
    from rclpy.serialization import deserialize_message, serialize_message
    from sensor_msgs.msg import Image, JointState

    types = {"Image": Image, "JointState": JointState, "PoseStamped": PoseStamped, "DiagnosticArray": DiagnosticArray}
    episode = make_episode()
    with BagWriter(tmp_path, contract, episode.info) as writer:
        for topic, msgtype, stamp, message in episode_messages(episode, contract):
            cdr = bytes(serialize(message, msgtype))
            native = deserialize_message(cdr, types[msgtype.rsplit("/", 1)[1]])
            writer.write(topic, msgtype, stamp, serialize_message(native))
    assert_same(read_episode(writer.path, contract, "reach"), episode)
