"""What a killed recorder left in `<id>.part`: all complete chunks become a bag again."""

from __future__ import annotations

import shutil
import struct
from collections import defaultdict
from pathlib import Path

from rosbags.rosbag2.storage_mcap import McapReader

from rewardbot.data import decode, quality
from rewardbot.data.bags import summarise
from rewardbot.data.cdr import deserialize
from rewardbot.data.decode import EpisodeEvent
from rewardbot.data.episodes import BagHeader, BagWriter, NotWhole, change_info, read_episode, writing
from rewardbot.errors import DataError

_MAGIC = b"\x89MCAP0\r\n"
_DATA_END = 0x0F
_NO_SUMMARY = struct.pack("<BQI", _DATA_END, 4, 0) + struct.pack("<BQQQI", 0x02, 20, 0, 0, 0) + _MAGIC


class _Empty(DataError):
    """Nothing is lost with it."""


def repair(part: Path) -> Path:
    """Makes a bag of the complete chunks in an interrupted recording, and removes the recording.

    Call it when no recorder runs on that folder.

    Args:
        part: the folder `<id>.part` that a BagWriter left, or `<id>.broken` that an interrupted repair left.

    Returns:
        `<id>`, if the whole episode is there; else `<id>.rejected`, for people to look at. What is wrong is in the bag.

    Raises:
        DataError: not such a folder, or nothing was written before the interruption.
        DiskFull: there is no space for the bag; the recording is still there, as `<id>.part` or `<id>.broken`.
    """
    if part.suffix not in (".part", ".broken") or not (part / "header.json").is_file():
        raise DataError(f"{part} is not an interrupted recording.", valid="A folder <id>.part with a header.json.")
    header = BagHeader.from_json((part / "header.json").read_text(), part)
    inside = Path(part.stem) / f"{part.stem}.mcap"
    if not (part / inside).is_file() or not _close_file(part / inside):
        raise _Empty(f"{part} holds no messages.", next_step="Delete it.")
    broken = part if part.suffix == ".broken" else part.rename(part.with_suffix(".broken"))
    info, prefix = header.info, f"/{header.namespace}/" if header.namespace else "/"
    events: dict[str, EpisodeEvent] = {}
    stamps: dict[str, list[int]] = defaultdict(list)
    reader = McapReader(broken / inside)
    reader.open()
    writer: BagWriter | None = None
    try:
        writer = BagWriter(part.parent, header.contract, info, namespace=header.namespace)
        for connection, stamp, cdr in reader.messages_scan(reader.connections):
            topic = connection.topic.removeprefix(prefix)
            writer.write(topic, connection.msgtype, stamp, cdr)
            if topic == decode.EPISODE:
                event = decode.episode_event(deserialize(cdr, connection.msgtype))
                events[event.kind], info = event, event.info
            else:
                stamps[decode.uncompressed(topic)].append(stamp)
        if "start" in events and "end" in events:
            found = quality.problems(stamps, header.contract, events["start"].stamp_ns, events["end"].stamp_ns)
            info = quality.marked(info, [problem.text for problem in found])
        bag = writer.finish(info)
        try:
            read_episode(bag, pixels=False)
        except NotWhole as error:
            change_info(bag, quality.marked(info, [error.reason]))
            place = writer.place(".rejected")
        else:
            place = writer.place()
    except BaseException:
        if writer is not None:
            writer.discard()
        raise
    finally:
        reader.close()
    shutil.rmtree(broken)
    return place


def mend(folder: Path) -> list[str]:
    """Deals with everything that interrupted recordings left in a folder: whole episodes become bags, of others nothing but what
    people may want to look at is kept. Call it when no recorder runs on that folder.

    Returns:
        What was found and what became of it, a line each.
    """
    # A repair that was interrupted may have begun a recording anew: it goes with the first of the two.
    return [mend_part(part) for part in leftovers(folder) if part.exists()]


def leftovers(folder: Path) -> list[Path]:
    """What interrupted recordings and repairs left in a folder, by name."""
    return sorted(folder.glob("*.broken")) + sorted(folder.glob("*.part"))


def mend_part(part: Path) -> str:
    """As `mend`, for one of the `leftovers`. It is still there afterwards only if it cannot be repaired now."""
    left = f"{part} was left by an interrupted recording"
    placed = any(part.with_suffix(suffix).exists() for suffix in ("", ".rejected"))
    if placed or not (part / "header.json").is_file():  # killed after the end, or before it had begun
        shutil.rmtree(part)
        return f"{left} and held nothing more; removed."
    try:
        if part.suffix == ".broken":  # its repair was interrupted
            shutil.rmtree(part.with_suffix(".part"), ignore_errors=True)
        found = summarise(repair(part))
    except _Empty as error:
        shutil.rmtree(part)
        return f"{left} and is removed: {error.what}"
    except DataError as error:
        return f"{left} and cannot be repaired now: {error.what}"
    whole = "not all of the episode is there" if found.state == "rejected" else "the episode is whole"
    return f"{left}; {whole}, {found.steps or 0} steps and {found.seconds or 0.0:.1f} s: {found.path}."


def _close_file(mcap: Path) -> bool:
    """Cuts the file after its last complete record and ends it as MCAP asks; False if it holds no record at all."""
    size = mcap.stat().st_size
    with writing(mcap), mcap.open("r+b") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            return False
        end = file.tell()
        while end + 9 <= size:
            opcode, length = struct.unpack("<BQ", file.read(9))
            if not 0 < opcode < _DATA_END or end + 9 + length > size:
                break
            end = file.seek(end + 9 + length)
        file.truncate(end)
        file.seek(end)
        file.write(_NO_SUMMARY)
    return end > len(_MAGIC)
