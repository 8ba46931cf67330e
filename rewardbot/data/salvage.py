"""What can still be read of an MCAP file that was cut off, or in which bytes have changed."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import yaml
from rosbags.rosbag2.storage_mcap import zstd

from rewardbot.data import mcap

_PIECE = 4096  # a decompressor gives nothing of the piece that holds the damage


class Salvage:
    """Reads such a file.

    Attributes:
        changed: how many of the messages given so far are of a chunk that does not match its checksum.
    """

    def __init__(self, path: Path) -> None:
        self.changed = 0
        self._data = mcap.content(path)
        self._types: dict[int, str] = {}
        self._channels: dict[int, tuple[str, str]] = {}

    def messages(self) -> Iterator[tuple[str, str, int, bytes]]:
        """Topic, message type, stamp [ns] and bytes of each complete message, as they lie in the file."""
        for record in self._records():
            if record.opcode == mcap.CHUNK:
                yield from self._of_chunk(record.content)
            elif (message := self._message(record)) is not None:
                yield message

    def metadata(self) -> dict[str, Any]:
        """What rosbag2 wrote of the bag when it was finished, {} if that is gone. It is not in front of a cut."""
        for record in self._records():
            if record.opcode == mcap.METADATA:
                try:
                    _, behind = _string(record.content)
                    _, behind = _string(behind[4:])
                    return dict(yaml.safe_load(_string(behind)[0]))
                except (ValueError, TypeError, struct.error, yaml.YAMLError):
                    return {}
        return {}

    def _records(self) -> Iterator[mcap.Record]:
        """Those of the data; the last one may be the beginning of a chunk."""
        data, end = self._data, len(mcap.MAGIC)
        while True:
            for record in mcap.records(data, end, len(data)):
                if record.opcode == mcap.DATA_END:
                    return
                yield record
                end = record.end
            if not data[end:] or data[end] != mcap.CHUNK:
                return
            try:  # a chunk tells by itself how long it is: it may be its record's length that has changed
                chunk = mcap.chunk(data[end + 9 :])
            except ValueError:
                return
            begun, end = end, min(end + 9 + chunk.end, len(data))
            yield mcap.Record(mcap.CHUNK, begun, end, data[begun + 9 : end])

    def _of_chunk(self, content: memoryview) -> Iterator[tuple[str, str, int, bytes]]:
        try:
            chunk = mcap.chunk(content)
        except ValueError:
            return
        plain = _decompressed(chunk)
        changed = len(plain) >= chunk.size and chunk.crc not in (0, crc32(plain))
        for record in mcap.records(memoryview(plain), 0, len(plain)):
            if (message := self._message(record)) is not None:
                self.changed += changed
                yield message

    def _message(self, record: mcap.Record) -> tuple[str, str, int, bytes] | None:
        """The message in a record; None if it has none, and what there is to know of later ones is kept."""
        content = record.content
        try:
            if record.opcode == mcap.SCHEMA:
                self._types[struct.unpack_from("<H", content)[0]] = _string(content[2:])[0]
            elif record.opcode == mcap.CHANNEL:
                channel, schema = struct.unpack_from("<HH", content)
                self._channels[channel] = _string(content[4:])[0], self._types[schema]
            elif record.opcode == mcap.MESSAGE:
                channel, _, stamp, _ = struct.unpack_from("<HIQQ", content)
                return *self._channels[channel], stamp, bytes(content[22:])
        except (ValueError, KeyError, struct.error):  # changed
            pass
        return None


def _string(content: memoryview) -> tuple[str, memoryview]:
    (length,) = struct.unpack_from("<I", content)
    return str(content[4 : 4 + length], "utf-8"), content[4 + length :]


def _decompressed(chunk: mcap.Chunk) -> bytes:
    """As much of it as can be decompressed."""
    if not chunk.compression:
        return bytes(chunk.data)
    decompressor, plain = zstd.ZstdDecompressor(), bytearray()
    try:
        for start in range(0, len(chunk.data), _PIECE):
            plain += decompressor.decompress(chunk.data[start : start + _PIECE])
    except (zstd.ZstdError, EOFError):
        pass
    return bytes(plain)
