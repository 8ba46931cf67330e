"""What a person says of an episode that has ended: on the disk before he is told that it was heard.

Each word is a line of JSON in `verdicts.jsonl` of the run folder, `[id, verdict]`. Whoever was killed before he could do what was
said does it when he starts again.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from rewardbot.data.staging import sync, writing

FILE = "verdicts.jsonl"
READ = 100
"""Words that are read, the newest: what was said before them has been done long ago."""


def write_verdict(folder: Path, name: str, verdict: bool | None) -> None:
    """Keeps a word on episode `name`.

    Args:
        folder: the run folder; made if it does not exist.
        name: the episode's id.
        verdict: whether it is a success; None: it is given up.

    Raises:
        DataError: it cannot be written.
    """
    with writing(folder / FILE):
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / FILE).open("ab") as file:
            file.write(f"\n{json.dumps([name, verdict])}\n".encode())  # a line that was cut off before stays by itself
            file.flush()
            os.fsync(file.fileno())
        sync(folder)


def read_verdicts(folder: Path) -> dict[str, bool | None]:
    """The last word on each of the episodes that were spoken of last; what cannot be read is left out."""
    try:
        lines = (folder / FILE).read_text("utf-8", errors="replace").split("\n")
    except OSError:
        return {}
    said: dict[str, bool | None] = {}
    for line in [line for line in lines if line][-READ:]:
        with suppress(ValueError, TypeError):
            name, verdict = json.loads(line)
            if isinstance(name, str) and (verdict is None or isinstance(verdict, bool)):
                said[name] = verdict
    return said
