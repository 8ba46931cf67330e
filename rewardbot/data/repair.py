"""What a killed recorder left in `<id>.part`: all complete chunks become a bag again."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

from rosbags.rosbag2.storage_mcap import McapReader

from rewardbot.data import decode
from rewardbot.data.cdr import deserialize
from rewardbot.data.episodes import BagHeader, BagWriter, list_episodes, read_episode, reject
from rewardbot.errors import DataError

_MAGIC = b"\x89MCAP0\r\n"
_DATA_END = 0x0F
_NO_SUMMARY = struct.pack("<BQI", _DATA_END, 4, 0) + struct.pack("<BQQQI", 0x02, 20, 0, 0, 0) + _MAGIC


def repair(part: Path) -> Path:
    """Makes a bag of the complete chunks in an interrupted recording, and removes the recording.

    Call it when no recorder runs on that folder.

    Args:
        part: the folder `<id>.part` that a BagWriter left, or `<id>.broken` that an interrupted repair left.

    Returns:
        `<id>`, if the whole episode is there; else `<id>.rejected`, for people to look at.

    Raises:
        DataError: not such a folder, or nothing was written before the interruption.
    """
    if part.suffix not in (".part", ".broken") or not (part / "header.json").is_file():
        raise DataError(f"{part} is not an interrupted recording.", valid="A folder <id>.part with a header.json.")
    header = BagHeader.from_json((part / "header.json").read_text(), part)
    inside = Path(part.stem) / f"{part.stem}.mcap"
    if not (part / inside).is_file() or not _close_file(part / inside):
        raise DataError(f"{part} holds no messages.", next_step="Delete it.")
    broken = part.rename(part.with_suffix(".broken"))
    info, prefix = header.info, f"/{header.namespace}/" if header.namespace else "/"
    writer = BagWriter(part.parent, header.contract, info, namespace=header.namespace)
    reader = McapReader(broken / inside)
    reader.open()
    try:
        for connection, stamp, cdr in reader.messages_scan(reader.connections):
            topic = connection.topic.removeprefix(prefix)
            writer.write(topic, connection.msgtype, stamp, cdr)
            if topic == decode.EPISODE:
                info = decode.episode_event(deserialize(cdr, connection.msgtype)).info
        writer.close(info)
    except BaseException:
        writer.discard()
        raise
    finally:
        reader.close()
    shutil.rmtree(broken)
    try:
        read_episode(writer.path)
    except DataError:
        return reject(writer.path)
    return writer.path


def mend(folder: Path) -> list[str]:
    """Deals with everything that interrupted recordings left in a folder: whole episodes become bags, of others nothing but what
    people may want to look at is kept. Call it when no recorder runs on that folder.

    Returns:
        What was found and what became of it, a line each.
    """
    said: list[str] = []
    for part in sorted(folder.glob("*.broken")) + sorted(folder.glob("*.part")):
        if not part.exists():
            continue  # what an interrupted repair had begun anew
        if part.with_suffix("").exists() or not (part / "header.json").is_file():  # killed after the end, or before it had begun
            shutil.rmtree(part)
            said.append(f"{part} was left by an interrupted recording and held nothing more; removed.")
            continue
        try:
            if part.suffix == ".broken":  # its repair was interrupted
                shutil.rmtree(part.with_suffix(".part"), ignore_errors=True)
            found = repair(part)
            whole = found.suffix != ".rejected"
            said.append(f"{part} was left by an interrupted recording; " + (
                f"the episode is whole: {found}." if whole else f"not all of the episode is there: {found}."))
        except DataError as error:
            shutil.rmtree(part)
            said.append(f"{part} was left by an interrupted recording and is removed: {error.what}")
    # A recorder that was killed may not have read back the last one.
    for path in sorted(list_episodes(folder) if folder.is_dir() else [], key=lambda path: path.stat().st_mtime)[-1:]:
        try:
            read_episode(path)
        except DataError as error:
            said.append(f"{reject(path)}: {' '.join(str(error).split())}")
    return said


def _close_file(mcap: Path) -> bool:
    """Cuts the file after its last complete record and ends it as MCAP asks; False if it holds no record at all."""
    size = mcap.stat().st_size
    with mcap.open("r+b") as file:
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
