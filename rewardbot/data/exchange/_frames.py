"""Frames of a video file, one after the other, by the ffmpeg that imageio-ffmpeg brings."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rewardbot.errors import DataError


class VideoFrames:
    """Reads videos forwards: what comes later in a file costs nothing to reach after what came before.

    Args:
        height, width: of every frame [px].
    """

    def __init__(self, height: int, width: int) -> None:
        self._shape = (height, width, 3)
        self._path: Path | None = None
        self._frames: Generator[bytes] | None = None
        self._next = 0

    def take(self, path: Path, first: int, count: int) -> NDArray[np.uint8]:
        """`count` frames from number `first` on, uint8 (count, H, W, 3) RGB.

        Raises:
            DataError: frames of another size, or fewer than that.
        """
        if path != self._path or first < self._next or self._frames is None:
            self._open(path)
        assert self._frames is not None
        taken = np.empty((count, *self._shape), np.uint8)
        for number in range(self._next, first + count):
            if (frame := next(self._frames, None)) is None:
                raise DataError(f"{path} ends after {number} frames.", valid=f"{first + count} are needed.")
            if number >= first:
                taken[number - first] = np.frombuffer(frame, np.uint8).reshape(self._shape)
        self._next = first + count
        return taken

    def close(self) -> None:
        """Ends ffmpeg."""
        if self._frames is not None:
            self._frames.close()
        self._frames = None

    def _open(self, path: Path) -> None:
        import imageio_ffmpeg  # slow to import, and only needed for videos

        self.close()
        # Every frame once, whatever its time.
        frames: Any = imageio_ffmpeg.read_frames(str(path), output_params=["-fps_mode", "passthrough"])
        width, height = next(frames)["size"]
        if (height, width) != self._shape[:2]:
            frames.close()
            raise DataError(f"{path} has frames of {width}x{height}.", valid=f"This camera has {self._shape[1]}x{self._shape[0]}.")
        self._path, self._frames, self._next = path, frames, 0
