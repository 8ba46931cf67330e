"""The records of an MCAP file as they lie there, damaged or not. https://mcap.dev/spec"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

MAGIC = b"\x89MCAP0\r\n"
FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK, METADATA, DATA_END = 0x02, 0x03, 0x04, 0x05, 0x06, 0x0C, 0x0F
FOOTER_BYTES = 9 + 20 + len(MAGIC)
"""The footer and the magic bytes behind it, with which a finished file ends."""

_HEAD = struct.Struct("<BQ")
_CHUNK_HEAD = struct.Struct("<QQQII")


class Record(NamedTuple):
    """A record: its opcode, where it begins and ends in the file [bytes], and its content."""

    opcode: int
    start: int
    end: int
    content: memoryview


class Chunk(NamedTuple):
    """A chunk: stamps of its first and last message [ns], size and CRC (or 0) of the records in it, how these are compressed, the
    compressed ones, and at what byte of the content these end, or should.
    """

    first_ns: int
    last_ns: int
    size: int
    crc: int
    compression: str
    data: memoryview
    end: int


def content(path: Path) -> memoryview:
    """All bytes of a file, which are read when they are looked at."""
    with path.open("rb") as file:
        if not path.stat().st_size:
            return memoryview(b"")
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def is_finished(data: memoryview) -> bool:
    """Whether a file has the footer and the magic bytes with which a finished one ends."""
    footer = len(data) - FOOTER_BYTES
    return footer >= len(MAGIC) and data[-len(MAGIC) :] == MAGIC and data[footer : footer + 9] == _HEAD.pack(FOOTER, 20)


def records(data: memoryview, start: int, stop: int) -> Iterator[Record]:
    """The records in `data[start:stop]`, up to the first that does not end there."""
    while start + _HEAD.size <= stop:
        opcode, length = _HEAD.unpack_from(data, start)
        end = start + _HEAD.size + length
        if not opcode or end > stop:
            return
        yield Record(opcode, start, end, data[start + _HEAD.size : end])
        start = end


def chunk(content: memoryview) -> Chunk:
    """The content of a chunk record, or the beginning of one.

    Raises:
        ValueError: it is no chunk's, or too short to tell.
    """
    if len(content) < _CHUNK_HEAD.size:
        raise ValueError("It ends within its head.")
    first, last, size, crc, length = _CHUNK_HEAD.unpack_from(content)
    begin = _CHUNK_HEAD.size + length
    if length > 16 or len(content) < begin + 8:
        raise ValueError("Its compression has no name.")
    (stored,) = struct.unpack_from("<Q", content, begin)
    compression = str(content[_CHUNK_HEAD.size : begin], "ascii")
    return Chunk(first, last, size, crc, compression, content[begin + 8 : begin + 8 + stored], begin + 8 + stored)
