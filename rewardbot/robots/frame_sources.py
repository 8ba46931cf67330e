"""Where the pictures of a real camera come from: a device, a stream, a video file, a folder of images. OpenCV, no ROS."""

from __future__ import annotations

import math
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from rewardbot.config import user_path
from rewardbot.errors import DataError, RobotError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
SILENT_S = 2.0
"""Time without a picture after which a device is in trouble [s]."""

AGAIN_S = 1.0
"""Between two attempts to open a device that went away [s]."""

PATIENCE_MS = 3000
"""For a stream over the network to begin, and for its next picture [ms]."""

BEHIND_S = 1.0
"""A video that is shown later than this does not catch up: who was busy for so long would only be busy for longer [s]."""

ROUNDING = 1e-3
"""A picture is due this much of its own time early."""

Frame = NDArray[np.uint8]
"""RGB, uint8 (H, W, 3), of whatever size the source has."""

Clock = Callable[[], float]


class FrameSource(ABC):
    """Pictures, one after the other. No method waits for a device.

    Attributes:
        trouble: what is wrong with it at present, for people; empty when all is well.
        ended: no picture will ever come again.
    """

    trouble: str = ""
    ended: bool = False

    @abstractmethod
    def next(self) -> Frame | None:
        """The picture of now, or None when there is none since the last call."""

    @abstractmethod
    def close(self) -> None:
        """Frees the device. May be called twice."""


def open_source(text: str, *, loop: bool = True) -> FrameSource:
    """The source that `text` names.

    Args:
        text: number of a device, its path (`/dev/video0`), the address of a stream (`rtsp://...`), a video file or a folder.
        loop: whether a file or folder begins again at its end.

    Raises:
        RobotError: there is no such device, or it gives no picture.
        DataError: no such file or folder, or nothing in it that can be shown.
    """
    # Its warnings name lines of its own source; what is wrong is told by us.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    if text.isdigit() or text.startswith("/dev/") or "://" in text:
        return Device(text)
    path = user_path(text)
    if path.is_dir():
        return ImageFolder(path, loop=loop)
    if path.is_file():
        return VideoFile(path, loop=loop)
    raise DataError(f"There is no picture to be had from '{text}'.", valid="A number (0), a device (/dev/video0), a stream "
                    "(rtsp://...), a video file or a folder of images.", next_step=f"Here are: {_devices()}.")


def cropped(frame: Frame, width: int, height: int) -> Frame:
    """The middle of a picture, as much of it as has the sides' ratio, resized to `width` x `height` [px]."""
    scale = max(width / frame.shape[1], height / frame.shape[0])
    across, down = min(frame.shape[1], round(width / scale)), min(frame.shape[0], round(height / scale))
    left, top = (frame.shape[1] - across) // 2, (frame.shape[0] - down) // 2
    middle = frame[top : top + down, left : left + across]
    found = cv2.resize(middle, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return np.asarray(found, np.uint8)


class ImageFolder(FrameSource):
    """The images of a folder in the order of their names, one with each call; what cannot be read is left out.

    Args:
        folder: holds files with one of `SUFFIXES`.
        loop: whether it begins again at the end.
    """

    def __init__(self, folder: Path, *, loop: bool) -> None:
        self._paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
        self._loop, self._next = loop, 0
        if not any(self._read(path) is not None for path in self._paths):
            raise DataError(f"{folder} holds no image.", valid=f"Files with {', '.join(SUFFIXES)}.")

    def next(self) -> Frame | None:
        """See `FrameSource.next`."""
        self.trouble = ""
        while not self.ended:
            if self._next == len(self._paths):
                self._next, self.ended = 0, not self._loop
                continue
            path = self._paths[self._next]
            self._next += 1
            if (frame := self._read(path)) is not None:
                return frame
            self.trouble = f"{path.name} is no readable image"
        return None

    def close(self) -> None:
        """See `FrameSource.close`."""

    @staticmethod
    def _read(path: Path) -> Frame | None:
        pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
        return None if pixels is None else _rgb(pixels)


class VideoFile(FrameSource):
    """A video at its own speed: who asks less often misses pictures, who asks more often gets none in between.

    Args:
        path: the file.
        loop: whether it begins again at the end.
        clock: seconds.
    """

    def __init__(self, path: Path, *, loop: bool, clock: Clock = time.monotonic) -> None:
        self._path, self._loop, self._clock = path, loop, clock
        self._capture = cv2.VideoCapture(str(path))
        if not self._capture.grab():
            raise DataError(f"{path} is no video that can be shown.", next_step="Convert it: ffmpeg -i FILE video.mp4")
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self._rate = rate if math.isfinite(rate) and 0 < rate <= 1000 else 30.0
        self._begin()

    def next(self) -> Frame | None:
        """See `FrameSource.next`."""
        if self.ended:
            return None
        now = self._clock()
        if self._began is None or now - self._began > self._read / self._rate + BEHIND_S:
            self._began = now - self._read / self._rate
        due = int((now - self._began) * self._rate + ROUNDING) + 1 - self._read
        if due <= 0:
            return None
        self._read += due
        if all(self._capture.grab() for _ in range(due)):
            whole, pixels = self._capture.retrieve()
            if whole:
                return _rgb(pixels)
        if not self._loop:
            self.ended = True
            return None
        self._begin()
        return self.next()

    def close(self) -> None:
        """See `FrameSource.close`."""
        self._capture.release()

    def _begin(self) -> None:
        self._capture.release()
        self._capture.open(str(self._path))
        self._read, self._began = 0, None


class Device(FrameSource):
    """A camera or a stream, read in a thread so that nobody waits for it. When it goes away it is opened again and again.

    Args:
        name: number or path of a video device, or the address of a stream.

    Raises:
        RobotError: it cannot be opened now.
    """

    def __init__(self, name: str) -> None:
        self._name, self._newest, self._came = name, None, time.monotonic()
        self._lock, self._asked = threading.Lock(), threading.Event()
        self._capture = _capture(name)
        if not self._capture.isOpened():
            raise RobotError(f"There is no camera '{name}', or another program has it.", valid=f"Here are: {_devices()}.",
                             next_step="Plug it in, or name another one; rewardbot doctor tells about permissions.")
        self._thread = threading.Thread(target=self._watch, name=f"camera {name}", daemon=True)
        self._thread.start()

    def next(self) -> Frame | None:
        """See `FrameSource.next`."""
        with self._lock:
            frame, self._newest = self._newest, None
        silent = time.monotonic() - self._came
        self.trouble = f"'{self._name}' gives no pictures; trying again" if silent > SILENT_S else ""
        return None if frame is None else _rgb(frame)

    def close(self) -> None:
        """See `FrameSource.close`. A driver that hangs is left to the end of the process."""
        self._asked.set()
        self._thread.join(timeout=1.0)

    def _watch(self) -> None:
        while not self._asked.is_set():
            whole, pixels = self._capture.read()
            if whole:
                with self._lock:
                    self._newest, self._came = pixels, time.monotonic()
                continue
            self._capture.release()
            if not self._asked.wait(AGAIN_S):
                self._capture = _capture(self._name)
        self._capture.release()


def _capture(name: str) -> cv2.VideoCapture:
    if "://" in name:
        return cv2.VideoCapture(name, cv2.CAP_FFMPEG, [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, PATIENCE_MS,
                                                       cv2.CAP_PROP_READ_TIMEOUT_MSEC, PATIENCE_MS])
    capture = cv2.VideoCapture(int(name) if name.isdigit() else name, cv2.CAP_ANY)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # the newest picture, not the oldest that waits
    return capture


def _devices() -> str:
    return ", ".join(str(path) for path in sorted(Path("/dev").glob("video*"))) or "no devices (/dev/video*)"


def _rgb(pixels: cv2.typing.MatLike) -> Frame:
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)
