"""A folder of bags by its headers, a bag by its topics, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rosbags.rosbag2 import StoragePlugin, Writer

from rewardbot.data import bags
from rewardbot.data.bags import bags_in, examine, require_alike, summarise, topics, whole_bags
from rewardbot.data.cdr import serialize
from rewardbot.data.encode import episode_messages
from rewardbot.data.episodes import BagWriter, discard, reject, write_episode
from rewardbot.errors import DataError
from rewardbot.robots.robot import RobotContract
from rewardbot.types import Episode

Make = Callable[..., Episode]


@pytest.fixture
def folder(tmp_path: Path, contract: RobotContract, make_episode: Make) -> Path:
    """One of each: whole, rejected, discarded, unfinished, cut off, foreign, without metadata, no bag."""
    marked = make_episode("whole")
    marked = replace(marked, info=replace(marked.info, extra={"problems": ["front: 2 dropped frames"], "takeovers": [[0, 2]]}))
    write_episode(tmp_path, marked, contract)
    reject(write_episode(tmp_path, make_episode("bad"), contract))
    discard(write_episode(tmp_path, make_episode("given-up"), contract))
    BagWriter(tmp_path, contract, make_episode("killed").info).abandon()
    (write_episode(tmp_path, make_episode("cut"), contract) / "cut.mcap").write_bytes(b"")
    with Writer(tmp_path / "foreign", version=9, storage_plugin=StoragePlugin.MCAP):
        pass
    bare = write_episode(tmp_path, make_episode("bare"), contract)
    (bare / "metadata.yaml").unlink()
    (tmp_path / "notes").mkdir()
    (tmp_path / "readme.txt").touch()
    return tmp_path


def test_a_folder(folder: Path, contract: RobotContract) -> None:
    found = {bag.path.name: bag for bag in map(summarise, bags_in(folder))}
    assert {name: bag.state for name, bag in found.items()} == {
        "bad.rejected": "rejected", "bare": "whole", "cut": "whole", "foreign": "whole", "given-up.discarded": "discarded",
        "killed.part": "unfinished", "whole": "whole"}
    whole = found["whole"]
    assert whole.header is not None and whole.header.contract == contract and whole.header.info.task == "reach"
    assert (whole.steps, whole.seconds, whole.problems, whole.takeovers) == (4, 0.4, ["front: 2 dropped frames"], 1)
    assert whole.size == sum(path.stat().st_size for path in (folder / "whole").iterdir())
    assert found["bad.rejected"].steps == 4 and found["bad.rejected"].problems == []
    killed = found["killed.part"]
    assert killed.header is not None and killed.header.info.id == "killed" and killed.steps is None
    assert "was not recorded by rewardbot" in found["foreign"].damage
    assert "no metadata.yaml" in found["bare"].damage
    assert whole_bags([folder]) == [folder / name for name in ("bare", "cut", "foreign", "whole")]
    assert whole_bags([folder / "whole", folder / "whole", folder])[0] == folder / "whole" and len(whole_bags([folder, folder])) == 4


def test_a_header_is_read_without_the_messages(
    tmp_path: Path, contract: RobotContract, make_episode: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_episode(tmp_path, make_episode(), contract)
    (path / "e1.mcap").write_bytes(b"")
    monkeypatch.setattr(bags, "read_header", None)
    assert summarise(path).steps == 4 and require_alike([path]).info.id == "e1"


@pytest.mark.parametrize("content", ["", "[]", "{", "\x00\xff", "rosbag2_bagfile_information: {custom_data: {rewardbot: '{}'}}",
                                     "rosbag2_bagfile_information: {custom_data: {rewardbot: 3}}"])
def test_metadata_that_are_damaged(tmp_path: Path, contract: RobotContract, make_episode: Make, content: str) -> None:
    path = write_episode(tmp_path, make_episode(), contract)
    (path / "metadata.yaml").write_bytes(content.encode("latin1"))
    assert str(path) in summarise(path).damage
    (found,) = examine([path])
    assert found.fault and found.mend


def test_what_cannot_be_used_is_named(folder: Path) -> None:
    faults = {found.path.name: found for found in examine(bags_in(folder)) if found.fault}
    assert sorted(faults) == ["bare", "cut", "foreign", "killed.part"]
    assert faults["cut"].fault.startswith("is cut off or damaged") and faults["cut"].mend
    assert faults["foreign"].fault == "was not recorded by rewardbot."
    assert faults["bare"].fault.startswith("has no metadata.yaml") and "ros2 bag reindex" in faults["bare"].mend
    assert "rewardbot bags repair" in faults["killed.part"].mend
    assert [found.fault for found in examine([folder / "whole", folder / "bad.rejected"])] == ["", ""]


def test_an_episode_with_a_hole_or_without_steps(tmp_path: Path, contract: RobotContract, make_episode: Make) -> None:
    for id, keep in (("hole", lambda m: (m.topic, m.stamp_ns) != ("tool_pose", 900_000_000)),
                     ("none", lambda m: m.stamp_ns <= 700_000_000 and "action" not in m.topic)):
        with BagWriter(tmp_path, contract, make_episode(id).info) as writer:
            for topic, msgtype, stamp, message in filter(keep, episode_messages(make_episode(id), contract)):
                writer.write(topic, msgtype, stamp, serialize(message, msgtype))
    hole, none = examine(bags_in(tmp_path))
    assert "tool_pose has no message (step 2 of 4)" in hole.fault and "hole.rejected" in hole.mend
    assert none.fault and summarise(none.path).steps == 0


def test_topics(tmp_path: Path, contract: RobotContract, make_episode: Make) -> None:
    episode = make_episode(steps=10)
    with BagWriter(tmp_path, contract, episode.info) as writer:
        for topic, msgtype, stamp, message in episode_messages(episode, contract):
            if (topic, stamp) != ("tool_pose", 1_000_000_000):
                writer.write(topic, msgtype, stamp, serialize(message, msgtype))
    found = {topic.topic: topic for topic in topics(writer.path)}
    assert len(found) == 7
    joints, tool = found["joint_states"], found["tool_pose"]
    assert (joints.msgtype, joints.count) == ("sensor_msgs/msg/JointState", 11)
    assert joints.rate_hz == pytest.approx(10.0) and joints.largest_gap_s == pytest.approx(0.1)
    assert (tool.count, tool.largest_gap_s) == (10, pytest.approx(0.2)) and tool.rate_hz == pytest.approx(9.0)
    assert found["episode"].count == 2


def test_a_topic_with_one_message(tmp_path: Path, contract: RobotContract, make_episode: Make) -> None:
    path = write_episode(tmp_path, make_episode(steps=1), contract)
    action = next(topic for topic in topics(path) if topic.topic == "applied_action")
    assert (action.count, action.rate_hz, action.largest_gap_s) == (1, None, None)


def test_nothing_there(tmp_path: Path, contract: RobotContract, make_episode: Make) -> None:
    (tmp_path / "file").touch()
    for place, says in ((tmp_path / "none", "no folder"), (tmp_path / "file", "no folder"), (tmp_path, "holds no bags")):
        with pytest.raises(DataError, match=says):
            bags_in(place)
    reject(write_episode(tmp_path, make_episode(), contract))
    with pytest.raises(DataError, match="no finished episode"):
        whole_bags([tmp_path])

