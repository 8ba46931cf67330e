"""Split, merge, delete: the messages stay as they were recorded, and an error changes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rosbags.rosbag2 import StoragePlugin, Writer

from rewardbot.data.bag_changes import delete, given_up, merge, split
from rewardbot.data.cdr import serialize
from rewardbot.data.encode import episode_messages
from rewardbot.data.episodes import (
    BagWriter,
    discard,
    list_episodes,
    raw_messages,
    read_episode,
    read_header,
    reject,
    write_episode,
)
from rewardbot.data.takeovers import spans, steps_taken_over
from rewardbot.errors import DataError
from rewardbot.robots.robot import RobotContract
from rewardbot.types import Episode
from tests.full_disk import full_disk

Make = Callable[..., Episode]


def content(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@settings(max_examples=6, deadline=None)
@given(data=st.data(), steps=st.integers(2, 6), terminated=st.booleans())
def test_the_pieces_are_the_episode(
    tmp_path_factory: pytest.TempPathFactory, contract: RobotContract, make_episode: Make, data: st.DataObject, steps: int,
    terminated: bool,
) -> None:
    folder = tmp_path_factory.mktemp("split")
    taken = data.draw(st.lists(st.booleans(), min_size=steps, max_size=steps))
    at = sorted(data.draw(st.sets(st.integers(1, steps - 1), min_size=1)))
    whole = make_episode(steps=steps, terminated=terminated)
    whole = replace(whole, info=replace(whole.info, extra={"takeovers": spans(np.array(taken)), "note": "x"}))
    paths = split(write_episode(folder, whole, contract), at)
    assert [path.name for path in paths] == [f"e1-{number}" for number in range(len(at) + 1)]
    assert sorted(path.name for path in folder.iterdir()) == [*(path.name for path in paths), "e1.discarded"]
    cuts = [0, *at, steps]
    for number, path in enumerate(paths):
        first, stop, last = cuts[number], cuts[number + 1], number == len(at)
        piece = read_episode(path)
        assert piece.stamps.tolist() == whole.stamps[first : stop + 1].tolist()
        for ours, theirs in ((piece.proprio, whole.proprio[first : stop + 1]), (piece.actions, whole.actions[first:stop]),
                             (piece.applied, whole.applied[first:stop]),
                             *((piece.images[name], whole.images[name][first : stop + 1]) for name in whole.images)):
            assert np.array_equal(ours, theirs)
        assert steps_taken_over(piece.info, len(piece)).tolist() == taken[first:stop]
        assert (piece.info.seed, piece.info.success) == (0 if number == 0 else None, True if last else None)
        assert piece.terminated == (terminated and last)
        assert piece.info.extra["split"] == ["e1", first, stop] and piece.info.extra["note"] == "x"
    assert read_episode(folder / "e1.discarded").info.id == "e1"


def test_messages_of_all_topics_go_with_their_piece(tmp_path: Path, contract: RobotContract, make_episode: Make) -> None:
    """Other topics, cameras that run faster, and nothing of it encoded anew."""
    with BagWriter(tmp_path, contract, make_episode().info, namespace="arm/left") as writer:
        for topic, msgtype, stamp, message in episode_messages(make_episode(), contract):
            writer.write(topic, msgtype, stamp, serialize(message, msgtype))
            writer.write(f"extra/{topic}", msgtype, stamp + 30_000_000, serialize(message, msgtype))
    before = list(raw_messages(writer.path))
    first, second = split(writer.path, [2])
    assert read_header(first).namespace == "arm/left"
    for path, start, end in ((first, 700_000_000, 900_000_000), (second, 900_000_000, 1_100_000_000)):
        found = [message for message in raw_messages(path) if message[0] != "episode"]
        expected = [m for m in before if m[0] != "episode" and (
            start <= m[2] < end if m[0].endswith("_action") and "extra" not in m[0] else start - 50_000_000 <= m[2] <= end)]
        assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("at", [[], [0], [4], [2, 2], [3, 1], [-1], [1, 99]])
def test_steps_at_which_nothing_can_be_cut(tmp_path: Path, contract: RobotContract, make_episode: Make, at: list[int]) -> None:
    path = write_episode(tmp_path, make_episode(), contract)
    before = content(tmp_path)
    with pytest.raises(DataError, match=r"cannot be split at step(.|\n)*from 1 to 3"):
        split(path, at)
    assert content(tmp_path) == before


def test_an_episode_of_one_step_and_pieces_that_exist(tmp_path: Path, contract: RobotContract, make_episode: Make) -> None:
    with pytest.raises(DataError, match="a single step"):
        split(write_episode(tmp_path, make_episode("one", steps=1), contract), [1])
    path = write_episode(tmp_path, make_episode(), contract)
    write_episode(tmp_path, make_episode("e1-1"), contract)
    before = content(tmp_path)
    with pytest.raises(DataError, match="e1-1 exists already"):
        split(path, [2])
    assert content(tmp_path) == before


def test_a_full_disk_changes_nothing(tmp_path: Path, contract: RobotContract, make_episode: Make) -> None:
    paths = [write_episode(tmp_path / "bags", make_episode(id, steps=20), contract) for id in ("e1", "e2")]
    before = content(tmp_path)
    with full_disk(5_000):
        with pytest.raises(DataError, match="Cannot write"):
            split(paths[0], [2, 10])
        with pytest.raises(DataError, match=r"Cannot write \S*out: File too large"):
            merge(tmp_path / "out", paths)
    assert content(tmp_path) == before and sorted(path.name for path in tmp_path.iterdir()) == ["bags"]


def test_what_an_interrupted_split_left_does_not_matter(tmp_path: Path, contract: RobotContract, make_episode: Make) -> None:
    path = write_episode(tmp_path, make_episode(), contract)
    BagWriter(tmp_path / ".e1.unfinished", contract, make_episode("e1-0").info).abandon()
    assert list_episodes(tmp_path) == [path]
    assert len(split(path, [2])) == 2 and not (tmp_path / ".e1.unfinished").exists()


def test_merge(
    tmp_path: Path, contract: RobotContract, make_episode: Make, assert_same: Callable[[Episode, Episode], None]
) -> None:
    for folder, ids in (("a", ("e1", "e1-2", "e2")), ("b", ("e1", "e3"))):
        for id in ids:
            write_episode(tmp_path / folder, make_episode(id, seed=ord(folder), terminated=True), contract)
    reject(write_episode(tmp_path / "a", make_episode("bad"), contract))
    before = content(tmp_path)
    shares: list[float] = []
    merged = merge(tmp_path / "out", [tmp_path / "a", tmp_path / "b", tmp_path / "b" / "e3"], progress=shares.append)
    assert merged.count == 5 and merged.renamed == [(tmp_path / "b" / "e1", "e1-3")] and shares[-1] == 1.0
    found = {path.name: read_episode(path) for path in list_episodes(tmp_path / "out")}
    assert sorted(found) == ["e1", "e1-2", "e1-3", "e2", "e3"]
    assert_same(found["e1-3"], make_episode("e1-3", seed=ord("b"), terminated=True))
    assert_same(found["e1"], make_episode("e1", seed=ord("a"), terminated=True))
    assert (tmp_path / "out/e2/e2.mcap").read_bytes() == (tmp_path / "a/e2/e2.mcap").read_bytes()
    assert {name: before[name] for name in before} == {k: v for k, v in content(tmp_path).items() if not k.startswith("out/")}


def test_what_cannot_be_merged(tmp_path: Path, contract: RobotContract, make_episode: Make) -> None:
    first = write_episode(tmp_path / "a", make_episode(), contract)
    push = write_episode(tmp_path / "b", make_episode(task="push"), contract)
    slow = write_episode(tmp_path / "c", make_episode(), replace(contract, control_hz=5.0))
    with Writer(tmp_path / "foreign", version=9, storage_plugin=StoragePlugin.MCAP):
        pass
    for other, says in ((push, "task 'push'"), (slow, "another robot contract"), (tmp_path / "foreign", "not recorded by rewardbot"),
                        (tmp_path / "none", "no folder")):
        with pytest.raises(DataError, match=says):
            merge(tmp_path / "out", [first, other])
    with pytest.raises(DataError, match="is not empty"):
        merge(tmp_path / "b", [first])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c", "foreign"]


@pytest.mark.parametrize("damage", ["a byte", "its end", "its file", "metadata.yaml", "killed", "recorded now"])
def test_nothing_is_merged_with_what_is_damaged(tmp_path: Path, contract: RobotContract, make_episode: Make, damage: str) -> None:
    first = write_episode(tmp_path / "a", make_episode("e1"), contract)
    second = write_episode(tmp_path / "a", make_episode("e2"), contract)
    file, now = second / "e2.mcap", BagWriter(tmp_path / "now", contract, make_episode("e3").info)
    whole = file.read_bytes()
    if damage == "a byte":
        file.write_bytes(bytes([*whole[:1000], whole[1000] ^ 1, *whole[1001:]]))
    elif damage == "its end":
        file.write_bytes(whole[:-500])
    elif damage == "its file":
        file.unlink()
    elif damage == "metadata.yaml":
        (second / damage).write_text("damaged")
    elif damage == "killed":
        BagWriter(tmp_path / "a", contract, make_episode("e3").info).abandon()
    before = content(tmp_path)
    says = "e3.part is being recorded now" if damage == "recorded now" else r"(e2|e3\.part) (.|\n)*rewardbot bags repair"
    with pytest.raises(DataError, match=says):
        merge(tmp_path / "new" / "out", [first, tmp_path / "a", tmp_path / ("now" if damage == "recorded now" else "a")])
    assert content(tmp_path) == before and not (tmp_path / "new").exists()
    now.discard()


def test_delete(tmp_path: Path, contract: RobotContract, make_episode: Make) -> None:
    paths = [write_episode(tmp_path, make_episode(id), contract) for id in ("e1", "e2", "e3", "e4")]
    rejected, discarded = reject(paths[1]), discard(paths[2])
    (tmp_path / "e9.deleted").mkdir()  # of one that was killed
    assert given_up(tmp_path) == [rejected, discarded, tmp_path / "e9.deleted"]
    delete(given_up(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e1", "e4"]
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "e4").symlink_to(paths[3])
    delete([paths[0], tmp_path / "link" / "e4"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e4", "link"] and list_episodes(tmp_path) == [paths[3]]
    (paths[3] / "metadata.yaml").write_text("damaged")
    delete([paths[3]])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link"]


def test_what_is_not_deleted(tmp_path: Path, contract: RobotContract, make_episode: Make) -> None:
    path = write_episode(tmp_path, make_episode(), contract)
    with Writer(tmp_path / "foreign", version=9, storage_plugin=StoragePlugin.MCAP):
        pass
    shutil.copytree(tmp_path / "foreign", tmp_path / "bare")
    (tmp_path / "bare" / "metadata.yaml").unlink()
    before = content(tmp_path)
    for other, says in ((tmp_path, "is no bag"), (tmp_path / "none", "is no bag"), (tmp_path / "foreign", "not recorded by"),
                        (tmp_path / "bare", "not known to be of rewardbot")):
        with pytest.raises(DataError, match=says):
            delete([path, other])
    with pytest.raises(DataError, match="no folder"):
        given_up(tmp_path / "none")
    assert content(tmp_path) == before
