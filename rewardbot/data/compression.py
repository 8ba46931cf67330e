"""Serialised camera images -> serialised compressed ones, in worker threads, for a recorder that must not wait."""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Literal

import numpy as np

from rewardbot.data import cdr, decode
from rewardbot.robots.robot import CameraContract

Compression = Literal["png", "jpeg"]
WAITING_PER_WORKER = 8
"""Images that wait are lost when the process is killed: so few that it is a fraction of a second's worth."""


def compress(image: bytes, camera: CameraContract, kind: Compression, quality: int = 90) -> bytes:
    """A serialised sensor_msgs/Image -> a serialised sensor_msgs/CompressedImage with the same header.

    Args:
        image: an Image that fits `camera`, in any of the encodings that `decode.image` knows.
        camera: the camera's contract.
        kind: png gives the same pixels back, jpeg nearly.
        quality: of jpeg, 1 to 100.

    Raises:
        DataError: it does not fit the contract.
    """
    import cv2  # slow to load, and only needed where images are compressed

    message = cdr.deserialize(image, "sensor_msgs/msg/Image")
    pixels = cv2.cvtColor(decode.image(message, camera), cv2.COLOR_RGB2BGR)
    options = [cv2.IMWRITE_PNG_COMPRESSION, 1] if kind == "png" else [cv2.IMWRITE_JPEG_QUALITY, quality]
    _, data = cv2.imencode(f".{kind}", pixels, options)
    new = cdr.typestore().types[decode.COMPRESSED_IMAGE]
    # "bgr8" tells image_transport that the file is an ordinary one: OpenCV reads it in that order.
    packed = new(header=message.header, format=f"rgb8; {kind} compressed bgr8", data=np.asarray(data, np.uint8).reshape(-1))
    return bytes(cdr.serialize(packed, decode.COMPRESSED_IMAGE))


class Compressor:
    """Compresses images side by side. What it cannot take at once it refuses, so that nothing piles up.

    Args:
        kind: see `compress`.
        quality: of jpeg.
        workers: threads; OpenCV leaves Python to others while it works.
    """

    def __init__(self, kind: Compression, quality: int = 90, workers: int = min(4, os.cpu_count() or 1)) -> None:
        import cv2  # noqa: F401 - now, so that the first image need not wait for it

        self._kind: Compression = kind
        self._quality = quality
        self._pool = ThreadPoolExecutor(workers, "compression")
        self._free = BoundedSemaphore(workers * WAITING_PER_WORKER)

    def submit(self, image: bytes, camera: CameraContract) -> Future[bytes] | None:
        """The compressed image to come (`compress`, which may raise DataError); None when too many wait."""
        if not self._free.acquire(blocking=False):
            return None
        packed = self._pool.submit(compress, image, camera, self._kind, self._quality)
        packed.add_done_callback(lambda _: self._free.release())
        return packed

    def close(self) -> None:
        """Waits for what was begun."""
        self._pool.shutdown()
