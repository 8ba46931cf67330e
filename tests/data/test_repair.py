"""A finished bag that was damaged later: all that is in front of a cut is kept, and what is lost is said."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewardbot.data.bags import examine
from rewardbot.data.cdr import serialize
from rewardbot.data.encode import episode_messages
from rewardbot.data.episodes import BagWriter, change_info, raw_messages, read_episode, read_header
from rewardbot.data.mcap import CHUNK
from rewardbot.data.mcap import records as mcap_records
from rewardbot.data.repair import damaged, repair_bag
from rewardbot.data.verdicts import write_verdict
from rewardbot.errors import DataError
from rewardbot.robots.robot import RobotContract
from rewardbot.types import Episode
from tests.full_disk import full_disk

Make = Callable[..., Episode]
Message = tuple[str, int, bytes]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, contract: RobotContract, make_episode: Make) -> tuple[Path, list[Message]]:
    """A bag of several chunks, and its messages in their order in the file."""
    return _recorded(tmp_path_factory.mktemp("original"), contract, make_episode(steps=3), compress=False)


def _recorded(folder: Path, contract: RobotContract, episode: Episode, *, compress: bool) -> tuple[Path, list[Message]]:
    messages = [(topic, stamp, bytes(serialize(message, msgtype)), msgtype)
                for topic, msgtype, stamp, message in episode_messages(episode, contract)]
    with BagWriter(folder, contract, episode.info, compress=compress) as writer:
        for number, (topic, stamp, cdr, msgtype) in enumerate(messages):
            writer.write(topic, msgtype, stamp, cdr)
            if number % 6 == 5:
                writer.flush()
    return writer.path, [message[:3] for message in messages]


def _copy(bag: Path, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    return Path(shutil.copytree(bag, folder / bag.name))


def _repaired(bag: Path) -> tuple[str, Path]:
    said = repair_bag(bag, damaged(bag)[bag])
    (place,) = (path for path in bag.parent.iterdir() if path.suffix != ".discarded")
    assert damaged(place) == {} and bag.with_name(f"{bag.name}.discarded").is_dir()
    return said, place


@settings(max_examples=10, deadline=None)
@given(share=st.floats(0.15, 1.0, exclude_max=True))
def test_all_messages_in_front_of_a_cut_are_kept(original: tuple[Path, list[Message]], share: float) -> None:
    source, messages = original
    bag = _copy(source, source.parent / "copy")
    mcap = bag / "e1.mcap"
    whole = mcap.read_bytes()
    cut = int(share * len(whole))
    mcap.write_bytes(whole[:cut])
    ends = {whole.index(cdr) + len(cdr): (topic, stamp, cdr) for topic, stamp, cdr in messages}
    kept = [message for end, message in ends.items() if end <= cut]
    said, place = _repaired(bag)
    assert sorted((topic, stamp, cdr) for topic, _, stamp, cdr in raw_messages(place)) == sorted(kept)
    assert f"it ends at byte {cut}" in said
    if len(kept) == len(messages):
        assert place.name == "e1" and f"All {len(messages)} messages are left; the episode is whole, 3 steps" in said
    else:
        assert place.name == "e1.rejected" and f"{len(kept)} of {len(messages)} messages are left; lost: " in said
        assert "not all of the episode is there" in said and read_header(place).info.success is None


def test_a_cut_within_a_compressed_chunk(tmp_path: Path, contract: RobotContract, make_episode: Make) -> None:
    bag, messages = _recorded(tmp_path, contract, make_episode(steps=3), compress=True)
    mcap = bag / "e1.mcap"
    mcap.write_bytes(mcap.read_bytes()[:4_500])
    said, place = _repaired(bag)
    kept = [(topic, stamp, cdr) for topic, _, stamp, cdr in raw_messages(place)]
    assert 6 <= len(kept) < len(messages) and set(kept) <= set(messages) and f"{len(kept)} of {len(messages)}" in said


def test_a_byte_that_changed_within_an_image(original: tuple[Path, list[Message]], tmp_path: Path) -> None:
    source, messages = original
    bag = _copy(source, tmp_path / "bags")
    mcap = bag / "e1.mcap"
    content = bytearray(mcap.read_bytes())
    image = next(cdr for topic, _, cdr in messages if "image_raw" in topic)
    content[content.index(image) + len(image) - 7] ^= 16
    mcap.write_bytes(content)
    said, place = _repaired(bag)
    assert place.name == "e1.rejected" and f"All {len(messages)} messages are left, 6 of them of a chunk in which" in said
    info = read_header(place).info
    assert info.success is None and "a byte has changed" in info.extra["problems"][0]


@pytest.mark.parametrize("change", ["record's length", "metadata.yaml", "no metadata.yaml", "summary"])
def test_damage_that_loses_nothing(original: tuple[Path, list[Message]], tmp_path: Path, change: str) -> None:
    source, messages = original
    bag = _copy(source, tmp_path / "bags")
    mcap, about = bag / "e1.mcap", bag / "metadata.yaml"
    content = bytearray(mcap.read_bytes())
    if change == "record's length":
        chunk = next(record for record in mcap_records(memoryview(bytes(content)), 8, len(content)) if record.opcode == CHUNK)
        content[chunk.start + 7] ^= 64
    elif change == "summary":
        content[-100] ^= 1
    elif change == "metadata.yaml":
        about.write_text(about.read_text().replace("reach", "reacj"))
    else:
        about.unlink()
    mcap.write_bytes(content)
    said, place = _repaired(bag)
    assert f"All {len(messages)} messages are left; the episode is whole" in said
    assert place.name == "e1" and read_episode(place).info == read_episode(source).info
    assert [found.fault for found in examine([place])] == [""]


def test_a_later_verdict_counts(original: tuple[Path, list[Message]], tmp_path: Path) -> None:
    source, _ = original
    bag = _copy(source, tmp_path / "bags")
    info = read_header(bag).info
    change_info(bag, type(info)(**{**vars(info), "success": False}))
    mcap = bag / "e1.mcap"
    mcap.write_bytes(mcap.read_bytes()[:-1_000])
    _, place = _repaired(bag)
    assert place.name == "e1" and read_header(place).info.success is False


@pytest.mark.parametrize(("said", "success", "says"), [
    (None, True, "a verdict that came later was in metadata.yaml"), (False, False, "Its verdict is the one in verdicts.jsonl")])
def test_a_later_verdict_without_metadata(
    original: tuple[Path, list[Message]], tmp_path: Path, said: bool | None, success: bool, says: str
) -> None:
    source, _ = original
    bag = _copy(source, tmp_path / "demonstrations")
    change_info(bag, replace(read_header(bag).info, success=False))
    (bag / "metadata.yaml").unlink()
    if said is not None:
        write_verdict(tmp_path, bag.name, said)
    told, place = _repaired(bag)
    assert says in told and read_header(place).info.success is success


def test_what_cannot_be_repaired_stays_as_it_is(original: tuple[Path, list[Message]], tmp_path: Path) -> None:
    source, _ = original

    def refused(says: str, free: int = 10**9, **files: int) -> None:
        bag = _copy(source, tmp_path / "bags")
        mcap = bag / "e1.mcap"
        mcap.write_bytes(mcap.read_bytes()[: files.get("cut", -1_000)])
        if "gone" in files:
            mcap.unlink()
        if "taken" in files:
            (bag.parent / "e1.rejected").mkdir()
        if "renamed" in files:
            bag = bag.rename(bag.with_name("other"))
        before = {path: path.read_bytes() for path in bag.parent.rglob("*") if path.is_file()}
        with pytest.raises(DataError, match=says), full_disk(free):
            repair_bag(bag, damaged(bag)[bag])
        assert {path: path.read_bytes() for path in bag.parent.rglob("*") if path.is_file()} == before

    refused("nothing can be read of e1.mcap", cut=20)
    refused("nothing can be read of e1.mcap", cut=0)
    refused("it has no MCAP file", gone=1)
    refused(r"e1\.rejected is in its way", taken=1)
    refused("it holds episode e1", renamed=1)
    refused("Cannot write", free=3_000)


def test_what_is_whole_is_not_touched(original: tuple[Path, list[Message]]) -> None:
    assert damaged(original[0]) == {} and np.array_equal(read_episode(original[0]).stamps[:1], [0.7])
