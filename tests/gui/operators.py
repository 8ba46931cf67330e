"""Operators at screens of their own: the program `preference_window`, and a keyboard in front of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

from tests.gui.keyboard import Keyboard

TITLE = "rewardbot: preferences"
PATIENCE_S = 60.0


class Operator:
    """Sits down at a window that is started.

    Args:
        screen: name of the X server.
        annotator: who it is.
        arguments: further ones of ROS.
    """

    def __init__(self, screen: str, annotator: str, *arguments: str) -> None:
        self._screen, self._arguments = screen, ("-p", f"annotator:={annotator}", *arguments)
        self._keyboard = Keyboard(screen)
        self.said: list[str] = []
        self.process: subprocess.Popen[str]
        self.start()

    def start(self) -> None:
        """The window opens, for the first time or again."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rewardbot.gui.preference_window", "--ros-args", *self._arguments], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
            env={**os.environ, "DISPLAY": self._screen, "QT_QPA_PLATFORM": "xcb", "OMP_NUM_THREADS": "1"})
        self._reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self._reader.start()

    def there(self) -> bool:
        """Whether the window is on the screen; it has the keys then."""
        if not self._keyboard.sees(TITLE):
            return False
        self._keyboard.focus(TITLE)
        return True

    def tap(self, key: str) -> None:
        """Presses a key, whoever has it."""
        self._keyboard.tap(key)

    def kill(self) -> None:
        """`kill -9`."""
        self.process.kill()
        self.process.wait()

    def close(self) -> int:
        """Closes the window by its corner; returns the program's exit code."""
        self._keyboard.close_window(TITLE, until=lambda: self.process.poll() is not None)
        return self.wait()

    def wait(self) -> int:
        """Until the program has ended by itself; its exit code."""
        code = self.process.wait(timeout=PATIENCE_S)
        self._reader.join()
        return code

    def leave(self) -> None:
        """Whatever is still there goes."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.said += (line.rstrip() for line in process.stdout)
