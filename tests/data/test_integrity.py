"""Whatever byte of a finished bag changes, `check` says so and names the place."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from rosbags.rosbag2 import StoragePlugin, Writer

from rewardbot.data import episodes, mcap
from rewardbot.data.bags import examine
from rewardbot.data.cdr import serialize
from rewardbot.data.encode import episode_messages
from rewardbot.data.episodes import BagWriter, change_info, read_header, write_episode
from rewardbot.data.integrity import Damaged, check
from rewardbot.errors import DataError
from rewardbot.robots.robot import RobotContract
from rewardbot.types import Episode

Make = Callable[..., Episode]
Bags = dict[bool, Path]


@pytest.fixture(scope="module")
def bags(tmp_path_factory: pytest.TempPathFactory, contract: RobotContract, make_episode: Make) -> Bags:
    """One of several chunks, and the same compressed."""
    folder = tmp_path_factory.mktemp("bags")
    paths = {}
    for compress in (False, True):
        episode = make_episode("packed" if compress else "plain", steps=2)
        with BagWriter(folder, contract, episode.info, compress=compress) as writer:
            for number, (topic, msgtype, stamp, message) in enumerate(episode_messages(episode, contract)):
                writer.write(topic, msgtype, stamp, serialize(message, msgtype))
                if number % 5 == 4:
                    writer.flush()
        paths[compress] = writer.path
    return paths


@pytest.mark.parametrize("compress", [False, True])
def test_the_checksums_are_those_of_the_specification(bags: Bags, compress: bool) -> None:
    bag = bags[compress]
    assert check(bag, ours=True) is True
    data = (bag / f"{bag.name}.mcap").read_bytes()
    summary, _, summary_crc = struct.unpack("<QQI", data[-28:-8])
    assert crc32(data[summary:-12]) == summary_crc
    *_, (end, data_crc) = [(record.start, record.content) for record in mcap.records(memoryview(data), 8, summary)]
    assert crc32(data[:end]) == int.from_bytes(data_crc, "little")
    chunks = [mcap.chunk(record.content) for record in mcap.records(memoryview(data), 8, end) if record.opcode == mcap.CHUNK]
    assert len(chunks) > 2 and all(chunk.crc for chunk in chunks)
    if not compress:
        assert [crc32(chunk.data) for chunk in chunks] == [chunk.crc for chunk in chunks]


@settings(max_examples=150, deadline=None)
@given(
    compress=st.booleans(), file=st.sampled_from(["mcap", "yaml"]), place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_any_byte_that_changes_is_found(bags: Bags, compress: bool, file: str, place: float, flip: int) -> None:
    bag = bags[compress]
    (path,) = bag.glob(f"*.{file}")
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[int(place * len(whole))] ^= flip
    path.write_bytes(changed)
    try:
        (found,) = examine([bag])
    finally:
        path.write_bytes(whole)
    assert path.name in found.fault and found.mend


def test_the_place_is_named(bags: Bags) -> None:
    bag = bags[False]
    path = bag / "plain.mcap"
    whole = path.read_bytes()
    second = [record for record in mcap.records(memoryview(whole), 8, len(whole)) if record.opcode == mcap.CHUNK][1]

    def said(content: bytes) -> str:
        path.write_bytes(content)
        try:
            with pytest.raises(Damaged) as caught:
                check(bag, ours=True)
        finally:
            path.write_bytes(whole)
        return caught.value.what

    def flipped(at: int) -> bytes:
        return whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]

    assert f"plain.mcap: bytes {second.start} to {second.end}, chunk 2, 0." in said(flipped(second.end - 1))
    assert "bytes 0 to" in said(flipped(30)), "the header record"
    assert "the summary" in said(flipped(len(whole) - 100))
    assert "does not begin as an MCAP file" in said(flipped(0))
    assert f"ends at byte {len(whole) - 500}" in said(whole[:-500])
    assert "checksum is gone" in said(whole[:-12] + bytes(4) + whole[-8:])


def test_a_later_verdict_has_its_checksum(bags: Bags) -> None:
    info = read_header(bags[True]).info
    change_info(bags[True], info)
    assert check(bags[True], ours=True) is True


def test_a_verdict_does_not_hide_that_a_byte_has_changed(bags: Bags) -> None:
    path = bags[True] / "metadata.yaml"
    whole = path.read_text()
    path.write_text(whole.replace("reach", "reacj"))
    try:
        with pytest.raises(DataError, match=r"metadata\.yaml does not match its checksum(.|\n)*bags repair"):
            change_info(bags[True], read_header(bags[True]).info)
    finally:
        path.write_text(whole)


def test_a_bag_of_an_older_version(
    tmp_path: Path, contract: RobotContract, make_episode: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(episodes, "CheckedBag", Writer)
    bag = write_episode(tmp_path, make_episode(), contract)
    change_info(bag, make_episode().info)
    assert check(bag, ours=True) is False
    assert [(found.fault, found.checked) for found in examine([bag])] == [("", False)]


def test_a_metadata_file_without_its_checksum(bags: Bags) -> None:
    path = bags[True] / "metadata.yaml"
    whole = path.read_text()
    assert whole.splitlines()[-1].startswith("# crc32 ") and yaml.safe_load(whole)
    path.write_text("".join(whole.splitlines(keepends=True)[:-1]))
    try:
        with pytest.raises(Damaged, match=r"metadata\.yaml: its checksum is gone"):
            check(bags[True], ours=True)
        assert check(bags[True], ours=False) is True, "others have none in metadata.yaml"
    finally:
        path.write_text(whole)


def test_a_bag_without_checksums(tmp_path: Path) -> None:
    with Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.MCAP):
        pass
    assert check(tmp_path / "bag", ours=True) is False and check(tmp_path / "bag", ours=False) is False
    (tmp_path / "bag" / "bag.mcap").unlink()
    with pytest.raises(Damaged, match=r"bag\.mcap: it is not there"):
        check(tmp_path / "bag", ours=True)
    assert check(tmp_path / "bag", ours=False) is False
    (tmp_path / "bag" / "metadata.yaml").unlink()
    with pytest.raises(DataError, match="cannot be read"):
        check(tmp_path / "bag", ours=False)
