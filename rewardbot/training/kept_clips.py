"""The clips that somebody was asked about, one file each: with the ledger, all that a reward is made of.

The replay forgets, and is gone with its process; an answer counts as long as it is not undone. What is kept here holds the
environment's own reward, too, for simulated people.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from rewardbot.data.transitions import Transitions
from rewardbot.errors import DataError
from rewardbot.nets.weights import from_bytes, reading, to_bytes
from rewardbot.training.files import storing, write_atomic
from rewardbot.types import Segment

KIND = "clip"


class KeptClips:
    """A folder of clips.

    Args:
        folder: made when the first clip is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Segment, Transitions] = {}

    def keep(self, segment: Segment, clip: Transitions) -> None:
        """Stores the steps of a clip, once.

        Raises:
            StorageError: they cannot be stored.
        """
        if segment in self._read:
            return
        with storing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        write_steps(self._path(segment), clip)
        self._read[segment] = clip

    def transitions(self, segment: Segment) -> Transitions:
        """The steps of a clip.

        Raises:
            DataError: it was not kept, or its file is damaged.
        """
        if segment not in self._read:
            path = self._path(segment)
            try:
                content = path.read_bytes()
            except OSError as error:
                raise DataError(f"The clip {path} cannot be read: {error.strerror}.",
                                next_step="Bring the file back, or undo the answers about it: rewardbot ledger.") from None
            self._read[segment] = steps_of(content)
        return self._read[segment]

    def _path(self, segment: Segment) -> Path:
        return self._folder / f"{quote(segment.episode_id, safe='')}_{segment.start}-{segment.stop}.safetensors"


def write_steps(path: Path, steps: Transitions) -> None:
    """Stores steps in a folder that is there.

    Raises:
        StorageError: they cannot be stored.
    """
    sizes = {"states": steps.states, "actions": steps.actions}
    write_atomic(path, to_bytes({"rows": steps.rows}, kind=KIND, description=sizes))


def steps_of(content: bytes) -> Transitions:
    """What `write_steps` stored.

    Raises:
        DataError: other or damaged bytes.
    """
    tensors, description = from_bytes(content, kind=KIND)
    with reading(KIND):
        return Transitions(tensors["rows"], int(description["states"]), int(description["actions"]))
