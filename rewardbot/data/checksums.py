"""Bags with checksums: rosbags leaves every CRC of an MCAP file at 0, and metadata.yaml has no place for one.

An MCAP file has three kinds, all CRC-32: of each chunk before its compression; of all up to the end of the data, DataEnd; of the
summary, in the footer. metadata.yaml gets its own as a last line, `# crc32 ...`, a comment to every other reader. Together they
cover each byte of a bag; `integrity.check` compares them.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zlib import crc32

from rosbags.rosbag2 import CompressionMode, StoragePlugin, Writer
from rosbags.rosbag2.storage_mcap import McapWriter

_CHUNK, _DATA_END, _FOOTER = 0x06, 0x0F, 0x02
_LINE = re.compile(rb"(?<=\n)# crc32 ([0-9a-f]{8})\n\Z")


class CheckedMcap(McapWriter):
    """rosbags' MCAP file, with checksums."""

    def __init__(self, path: Path, compression: CompressionMode) -> None:
        super().__init__(path, compression)
        self.bio.close()
        file = self.path.open("r+b", buffering=0)
        self.bio = self._records = _Records(file, file.read())

    def close_chunk(self) -> None:
        """Writes the pending chunk."""
        self._records.chunk_crc = crc32(self.chunk.bio.getbuffer())
        super().close_chunk()


class _Records(io.BufferedWriter):
    """Where rosbags writes record by record, each as opcode, length and content; fills in what it leaves at 0.

    Attributes:
        chunk_crc: of the chunk that comes next.
    """

    def __init__(self, file: Any, begun: bytes) -> None:
        super().__init__(file)
        self.chunk_crc = 0
        self._crc, self._before = crc32(begun), 0
        self._opcode, self._part = 0, 0

    def write(self, buffer: Any, /) -> int:
        if self._part == 0:
            self._opcode, self._before = buffer[0], self._crc
        elif self._part == 2:
            self._fill(buffer)
        self._crc = crc32(buffer, self._crc)
        if self._part == 2 and self._opcode == _DATA_END:
            self._crc = 0  # the summary's begins here
        self._part = (self._part + 1) % 3
        return super().write(buffer)

    def _fill(self, content: memoryview) -> None:
        if self._opcode == _CHUNK:
            content[24:28] = self.chunk_crc.to_bytes(4, "little")
        elif self._opcode == _DATA_END:
            content[:] = self._before.to_bytes(4, "little")
        elif self._opcode == _FOOTER:
            content[16:] = crc32(content[:16], self._crc).to_bytes(4, "little")


class CheckedBag(Writer):
    """rosbags' writer, of bags with checksums."""

    STORAGE_PLUGINS = MappingProxyType({**Writer.STORAGE_PLUGINS, StoragePlugin.MCAP: CheckedMcap})

    def close(self) -> None:
        """Ends the bag."""
        super().close()
        self.metapath.write_bytes(with_checksum(self.metapath.read_bytes()))


def with_checksum(metadata: bytes) -> bytes:
    """The content of a metadata.yaml, which ends its last line, with the checksum behind it."""
    return metadata + f"# crc32 {crc32(metadata):08x}\n".encode()


def matches(metadata: bytes) -> bool | None:
    """Whether the content of a metadata.yaml is what its checksum says; None if it has none."""
    line = _LINE.search(metadata)
    return None if line is None else int(line[1], 16) == crc32(metadata[: line.start()])
