"""Ctrl-C and SIGTERM in the middle of learning: a flag that long work looks at where it can be gone on with.

    with listening():
        env = Interruptible(env)                # looks before each step
        reward.fit(answers, context, check)     # as a progress callback: before each step of a fit

Without the flag a signal may come between two lines that belong together, such as an episode's name and its number; and SIGTERM
ends Python on the spot, with nothing stored. A second signal does not wait for anything.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import gymnasium

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_asked = False


class Stopped(KeyboardInterrupt):
    """The process was asked to stop; the text, if there is any, says how to go on."""


@contextmanager
def listening() -> Iterator[None]:
    """Until its end the first signal is a flag, which `check` looks at. In another thread than the main one it does nothing."""
    global _asked
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _asked = False
    before = {number: signal.signal(number, _hear) for number in SIGNALS}
    try:
        yield
    finally:
        _asked = False
        for number, handler in before.items():
            signal.signal(number, handler)


def check(*told: object) -> None:
    """Checks that nobody asked this process to stop.

    Args:
        told: whatever a callback is told.

    Raises:
        Stopped: somebody did.
    """
    if _asked:
        raise Stopped


class Interruptible(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment that takes no further step once the process was asked to stop, and raises `Stopped` instead. An episode can
    always be begun: who learns has by then given it a name, and not yet counted it.
    """

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """See gymnasium."""
        check()
        return super().step(action)


def _hear(number: int, frame: FrameType | None) -> None:
    global _asked
    if _asked:
        raise KeyboardInterrupt
    _asked = True
