"""Sources of pictures: files and folders that the test makes, and a stream that goes away and comes back."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from rewardbot.errors import DataError, RobotError
from rewardbot.robots import frame_sources
from rewardbot.robots.frame_sources import Device, FrameSource, ImageFolder, VideoFile, cropped, open_source

WIDTH, HEIGHT = 64, 48


def grey(level: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def film(path: Path, levels: list[int], rate: float = 10.0) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate, (WIDTH, HEIGHT))
    for level in levels:
        writer.write(grey(level))
    writer.release()
    return path


def level(frame: np.ndarray | None) -> int | None:
    """The level of a grey picture, to the nearest ten; None without one."""
    return None if frame is None else int(round(float(frame.mean()), -1))


# Folders.


def test_the_images_of_a_folder_by_name_in_red_green_and_blue(tmp_path: Path) -> None:
    for number, name in enumerate(("b.png", "a.jpg", "c.PNG")):
        cv2.imwrite(str(tmp_path / name), grey(50 * (number + 1)))
    cv2.imwrite(str(tmp_path / "d.png"), np.full((4, 6, 3), (255, 0, 0), np.uint8))  # OpenCV: blue first
    (tmp_path / "notes.txt").write_text("no image")
    source = open_source(str(tmp_path), loop=False)
    assert [level(source.next()) for _ in range(3)] == [100, 50, 150]
    blue = source.next()
    assert blue is not None and blue.shape == (4, 6, 3) and (blue == (0, 0, 255)).all()
    assert source.next() is None and source.ended


def test_a_folder_begins_again(tmp_path: Path) -> None:
    for number in (1, 2):
        cv2.imwrite(str(tmp_path / f"{number}.png"), grey(100 * number))
    source = ImageFolder(tmp_path, loop=True)
    assert [level(source.next()) for _ in range(5)] == [100, 200, 100, 200, 100] and not source.ended


def test_what_is_no_image_is_named_and_left_out(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), grey(100))
    cv2.imwrite(str(tmp_path / "c.png"), grey(200))
    (tmp_path / "b.png").write_bytes(b"\x89PNG and no more")
    source = ImageFolder(tmp_path, loop=False)
    assert [level(source.next()) for _ in range(2)] == [100, 200]
    (tmp_path / "c.png").unlink()
    source = ImageFolder(tmp_path, loop=False)
    assert level(source.next()) == 100 and source.next() is None and source.trouble == "b.png is no readable image"


@pytest.mark.parametrize("content", [None, b"\x89PNG and no more"])
def test_a_folder_without_an_image_is_refused(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DataError, match="holds no image"):
        open_source(str(tmp_path))


# Videos.


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_video_has_its_own_speed(tmp_path: Path, clock: Clock) -> None:
    video = VideoFile(film(tmp_path / "v.avi", list(range(20, 220, 20))), loop=False, clock=clock)
    seen = []
    for clock.now in (5.0, 5.05, 5.1, 5.3, 5.35, 5.9, 6.0, 6.1):
        seen.append(level(video.next()))
    assert seen == [20, None, 40, 80, None, 200, None, None] and video.ended


def test_a_video_begins_again_or_ends(tmp_path: Path, clock: Clock) -> None:
    path = film(tmp_path / "v.avi", [50, 100, 150])
    video = VideoFile(path, loop=True, clock=clock)
    seen = []
    for tick in range(7):
        clock.now = tick / 10 + 0.001
        seen.append(level(video.next()))
    assert seen == [50, 100, 150, 50, 100, 150, 50] and not video.ended
    video.close()
    video.close()


def test_after_a_long_pause_a_video_goes_on_where_it_was(tmp_path: Path, clock: Clock) -> None:
    video = VideoFile(film(tmp_path / "v.avi", list(range(20, 220, 20))), loop=False, clock=clock)
    assert level(video.next()) == 20
    clock.now = 100.0
    assert level(video.next()) == 40


def test_no_video(tmp_path: Path) -> None:
    (tmp_path / "v.mp4").write_bytes(b"no video at all")
    with pytest.raises(DataError, match=r"v\.mp4 is no video(.|\n)*ffmpeg"):
        open_source(str(tmp_path / "v.mp4"))


# Devices.


@pytest.mark.parametrize(("text", "error"), [("99", RobotError), ("/dev/video99", RobotError), ("http://127.0.0.1:9/", RobotError),
                                             ("nowhere.mp4", DataError)])
def test_what_is_not_there_is_refused(text: str, error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=rf"'{text}'(.|\n)*Here are: "):
        open_source(text)


class Webcam:
    """A stream as network cameras send it (multipart JPEG), of pictures of one grey level."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"
        self.level, self._on = 100, threading.Event()
        self._on.set()
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    def unplug(self) -> None:
        """Every connection is closed, and new ones are at once."""
        self._on.clear()

    def plug_in(self) -> None:
        """It can be watched again."""
        self._on.set()

    def close(self) -> None:
        """Takes it down."""
        self._on.clear()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(timeout=5)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._send, args=(connection,), daemon=True))
            self._threads[-1].start()

    def _send(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(4096)
                head = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"
                connection.sendall(head if self._on.is_set() else b"HTTP/1.0 503 No\r\n\r\n")
                while self._on.is_set():
                    jpeg = cv2.imencode(".jpg", grey(self.level))[1].tobytes()
                    connection.sendall(b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(jpeg), jpeg))
                    time.sleep(0.02)
            except OSError:
                pass


@pytest.fixture
def webcam() -> Iterator[Webcam]:
    found = Webcam()
    yield found
    found.close()


def wait_for(source: FrameSource, done: Callable[[int | None], bool], what: str) -> None:
    deadline = time.monotonic() + 20.0
    while not done(level(source.next())):
        assert time.monotonic() < deadline, f"waited for {what}; trouble: {source.trouble}"
        time.sleep(0.01)


def test_a_device_that_goes_away_is_told_and_found_again(webcam: Webcam, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_sources, "AGAIN_S", 0.1)
    monkeypatch.setattr(frame_sources, "SILENT_S", 0.3)
    source = Device(webcam.address)
    wait_for(source, lambda seen: seen == 100, "a picture")
    webcam.unplug()
    wait_for(source, lambda seen: "gives no pictures; trying again" in source.trouble, "trouble")
    webcam.level = 200
    webcam.plug_in()
    wait_for(source, lambda seen: seen == 200, "a picture after the trouble")
    source.next()
    assert source.trouble == "" and not source.ended
    source.close()
    source.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("camera ")]


# Sizes.


@pytest.mark.parametrize("size", [(64, 48), (48, 64), (1280, 720), (20, 10), (33, 77)])
def test_the_middle_in_the_right_proportions(size: tuple[int, int]) -> None:
    """Grey in the middle square, white where it is cut off."""
    width, height = size
    side = min(size)
    frame = grey(255, width, height)
    left, top = (width - side) // 2, (height - side) // 2
    frame[top : top + side, left : left + side] = 100
    found = cropped(frame, 32, 32)
    assert found.shape == (32, 32, 3) and found.dtype == np.uint8 and (found == 100).all()


def test_other_proportions_and_the_right_size_already() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    assert np.array_equal(cropped(frame, 64, 48), frame)
    assert np.array_equal(cropped(frame, 64, 24), frame[12:36])
