"""What tells a recording that runs from one that was killed: its recorder holds a lock on its header, which a kill releases."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import BinaryIO

from rewardbot.errors import DataError

HEADER = "header.json"
"""Of `<id>.part`: what was known when the recording began. `repair` needs it; the finished bag has it in itself."""


def begin(part: Path, header: str) -> BinaryIO:
    """Writes the header; others see a recording that runs until what is returned is closed.

    Raises:
        OSError: it cannot be written.
    """
    (part / HEADER).write_text(header)
    file = (part / HEADER).open("rb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        pass  # a file system without locks
    return file


def runs(part: Path) -> bool:
    """Whether a recorder writes the recording in `<id>.part` now."""
    try:
        with (part / HEADER).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def refuse_if_it_runs(part: Path) -> None:
    """Leaves a recording to its recorder.

    Raises:
        DataError: it runs.
    """
    if runs(part):
        raise DataError(f"{part} is being recorded now.", next_step="Wait for the end of its episode, or stop the recorder.")
