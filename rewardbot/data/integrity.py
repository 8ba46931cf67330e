"""Whether bytes of a finished bag have changed since it was written, by its checksums."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from rosbags.rosbag2.storage_mcap import decompress

from rewardbot.data import mcap
from rewardbot.data.checksums import matches
from rewardbot.data.decode import NS_PER_S
from rewardbot.errors import DataError

METADATA = "metadata.yaml"


class Damaged(DataError):
    """A byte of a bag has changed, or its end is missing; names the file and the place."""

    def __init__(self, bag: Path, file: str, what: str) -> None:
        super().__init__(f"{bag} is cut off or damaged: {file}: {what}.",
                         next_step=f"Restore it from a copy, or keep what can be read of it: rewardbot bags repair {bag}")


@dataclass(frozen=True)
class _Checksums:
    """Which checksums an MCAP file has: of all that lies in front of its summary, of the summary, of some chunk."""

    data: bool
    summary: bool
    chunks: bool


def check(bag: Path, *, ours: bool) -> bool:
    """Compares each byte of a bag with the bag's checksums.

    Args:
        bag: its folder.
        ours: rewardbot recorded it: it has all checksums or, if an older version wrote it, none.

    Returns:
        Whether each of its files has some; what others write may have none, or leave parts of it out.

    Raises:
        Damaged: something does not match.
        DataError: a file cannot be read.
    """
    try:
        found = {file.name: _check_mcap(bag, file) for file in sorted(bag.glob("*.mcap"))}
        same = matches((bag / METADATA).read_bytes())
    except OSError as error:
        raise DataError(f"{bag} cannot be read: {error.strerror or error}.") from None
    if same is False:
        raise Damaged(bag, METADATA, "it does not match the checksum in its last line")
    if ours and not found:
        raise Damaged(bag, f"{bag.name}.mcap", "it is not there")
    if ours:
        sums = {METADATA: same is not None, **{f"{name}, {part}": has for name, mcap_sums in found.items() for part, has in (
            ("data", mcap_sums.data), ("summary", mcap_sums.summary))}}
        if len(set(sums.values())) > 1:
            file = next(file for file, has in sums.items() if not has)
            raise Damaged(bag, file, "its checksum is gone, though other parts of the bag have theirs")
    return bool(found) and all(sums.data or sums.summary or sums.chunks for sums in found.values())


def _check_mcap(bag: Path, path: Path) -> _Checksums:
    data = mcap.content(path)
    size, footer = len(data), len(data) - mcap.FOOTER_BYTES
    if data[:8] != mcap.MAGIC:
        raise Damaged(bag, path.name, "it does not begin as an MCAP file")
    if not mcap.is_finished(data):
        raise Damaged(bag, path.name, f"it ends at byte {size}, but not as an MCAP file")
    summary, _, summary_crc = struct.unpack_from("<QQI", data, footer + 9)
    end, chunks, began_ns = 8, list[mcap.Chunk](), None
    for record in mcap.records(data, end, footer):
        if record.opcode == mcap.DATA_END:
            break
        if record.opcode == mcap.CHUNK:
            where = f"bytes {record.start} to {record.end}, chunk {len(chunks) + 1}"
            chunks.append(_chunk(bag, path.name, where, record.content, began_ns))
            began_ns = chunks[0].first_ns
        end = record.end
    behind = end + 13
    if data[end : end + 9] != struct.pack("<BQ", mcap.DATA_END, 4):
        raise Damaged(bag, path.name, f"no record begins at byte {end}")
    (data_crc,) = struct.unpack_from("<I", data, end + 9)
    if data_crc and crc32(data[:end]) != data_crc:
        raise Damaged(bag, path.name, f"bytes 0 to {end} do not match their checksum; what the chunks hold does")
    if summary_crc and crc32(data[behind : size - 12]) != summary_crc:
        raise Damaged(bag, path.name, f"bytes {behind} to {size - 12}, the summary, do not match their checksum")
    if summary not in (0, behind):
        raise Damaged(bag, path.name, f"its summary is said to begin at byte {summary}, the data end at {end}")
    return _Checksums(data_crc != 0, summary_crc != 0, any(chunk.crc for chunk in chunks))


def _chunk(bag: Path, file: str, where: str, content: memoryview, began_ns: int | None) -> mcap.Chunk:
    try:
        chunk = mcap.chunk(content)
        first, last = ((at - (chunk.first_ns if began_ns is None else began_ns)) / NS_PER_S for at in chunk[:2])
        where += f", {first:.1f} to {last:.1f} s after its beginning"
        decompress(bytes(chunk.data), chunk.compression, chunk.size, chunk.crc)
    except Exception as error:  # damaged bytes make a decompressor raise anything
        raise Damaged(bag, file, f"{where}: {' '.join(str(error).split()).removesuffix('.')}") from None
    return chunk
