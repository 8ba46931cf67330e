"""`video.mp4`: what the cameras saw."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rewardbot.errors import DataError
from rewardbot.training.files import StorageError, atomic_path

SMALLEST_SIDE = 256
"""Smaller frames are enlarged by a whole factor, so that pixels stay pixels [px]."""


def side_by_side(images: Mapping[str, NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """One frame of all cameras, left to right in their order, uint8 (H, W, 3); lower ones are filled up with black."""
    height = max(image.shape[0] for image in images.values())
    padded = [np.pad(image, ((0, height - image.shape[0]), (0, 0), (0, 0))) for image in images.values()]
    return np.concatenate(padded, axis=1)


def write_video(path: Path, frames: Iterable[NDArray[np.uint8]], fps: float = 10.0) -> int:
    """Writes an H.264 MP4 that browsers play, frame by frame as `frames` yields them.

    Args:
        frames: uint8 (H, W, 3), all of one size.
        fps: frames per second.

    Returns:
        How many frames were written.

    Raises:
        DataError: no frame, or frames of several sizes.
        StorageError: full disk, or no video encoder.
    """
    # Slow to import, and only needed here.
    import imageio_ffmpeg

    try:
        imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise StorageError(f"There is no video encoder: {next(iter(str(error).splitlines()), '')}",
                           next_step="pip install --force-reinstall imageio-ffmpeg, or name one in IMAGEIO_FFMPEG_EXE.") from None
    source = iter(frames)
    first = next(source, None)
    if first is None:
        raise DataError("There is no frame to make a video of.")
    factor = max(1, -(-SMALLEST_SIDE // min(first.shape[:2])))
    # H.264 in 4:2:0 takes even sides only.
    height, width = (side * factor + side * factor % 2 for side in first.shape[:2])

    def prepare(frame: NDArray[np.uint8]) -> bytes:
        if frame.shape != first.shape or frame.dtype != np.uint8:
            raise DataError(f"A video frame has shape {frame.shape} and type {frame.dtype}.",
                            valid=f"All must be uint8 {first.shape}, like the first.")
        large = frame.repeat(factor, axis=0).repeat(factor, axis=1)
        return np.pad(large, ((0, height - large.shape[0]), (0, width - large.shape[1]), (0, 0)), mode="edge").tobytes()

    with atomic_path(path) as temporary:
        writer = imageio_ffmpeg.write_frames(str(temporary), (width, height), fps=fps,  # type: ignore[arg-type] - any number
                                             macro_block_size=2,
                                             output_params=["-movflags", "+faststart"])
        written = 0
        with contextlib.closing(writer):
            writer.send(None)
            for frame in _and_rest(first, source):
                writer.send(prepare(frame))
                written += 1
        if not temporary.exists() or temporary.stat().st_size == 0:
            raise StorageError(f"The encoder wrote nothing to {path}.", next_step="Is the disk full?")
    return written


def _and_rest(first: NDArray[np.uint8], rest: Iterable[NDArray[np.uint8]]) -> Iterable[NDArray[np.uint8]]:
    yield first
    yield from rest
