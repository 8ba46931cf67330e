"""Labelled pictures of a goal in a folder: each is whole on the disk or not there, and can be taken back."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rewardbot.data.success_images import NOT, found_in, read_image
from rewardbot.errors import ConfigError
from rewardbot.robots.robot import RobotContract
from rewardbot.training.files import StorageError, storing, write_atomic

GAP_S = 2.0
"""Pause between two pictures of a kind from which on they belong to two bursts."""

_NAME = "%Y%m%dT%H%M%S%f"  # UTC, to the microsecond; files are named to the millisecond
_OURS = re.compile(r"\d{8}T\d{9}")


@dataclass(frozen=True)
class Example:
    """One labelled moment.

    Attributes:
        name: of its files, without the suffix.
        goal: whether the goal is visible.
        images: camera name -> uint8 (H, W, 3).
    """

    name: str
    goal: bool
    images: Mapping[str, NDArray[np.uint8]]

    @property
    def moment(self) -> float | None:
        """When it was taken [Unix s], to the millisecond; None if its name does not say."""
        return datetime.strptime(f"{self.name}000+0000", f"{_NAME}%z").timestamp() if _OURS.fullmatch(self.name) else None


class LabelStore:
    """The examples in a folder, see `data.success_images`; what it adds is named by its moment.

    Args:
        folder: an old or a new one.
        contract: the robot's; gives the cameras.

    Attributes:
        examples: all of them, in the order of their names.

    Raises:
        ConfigError: no camera, or one that is named as the folder of the negatives.
        DataError: an image that cannot be read or has another size.
        StorageError: the folder cannot be written.
    """

    def __init__(self, folder: Path, contract: RobotContract) -> None:
        if not contract.cameras or NOT in contract.cameras:
            raise ConfigError(f"Robot '{contract.name}' has " + (f"a camera named '{NOT}'." if contract.cameras else "no camera."),
                              valid=f"At least one camera, and none named '{NOT}', where pictures without the goal go.")
        self.folder, self._cameras = folder, contract.cameras
        self.examples: list[Example] = []
        for goal in (True, False):
            files = {camera: {path.stem: path for path in found_in(self._place(goal, camera))} for camera in self._cameras}
            for name in sorted({name for of in files.values() for name in of}):
                if all(name in of for of in files.values()):
                    images = {camera: read_image(files[camera][name], size) for camera, size in self._cameras.items()}
                    self.examples.append(Example(name, goal, images))
                elif _OURS.fullmatch(name):
                    self._delete(name, goal)  # a kill between two cameras
        self.examples.sort(key=lambda example: example.name)
        with _writing(folder):
            for goal in (True, False):
                for camera in self._cameras:
                    self._place(goal, camera).mkdir(parents=True, exist_ok=True)

    def add(self, goal: bool, images: Mapping[str, NDArray[np.uint8]], moment: float) -> Example:
        """Stores the pictures of one moment [Unix s], camera name -> uint8 (H, W, 3); they are on the disk when this returns.

        Raises:
            StorageError: full disk, no permission; then nothing of this moment is there.
        """
        taken = {example.name for example in self.examples}
        stamp = round(moment * 1000)
        while (name := _name(stamp)) in taken:
            stamp += 1
        example = Example(name, goal, {camera: images[camera] for camera in self._cameras})
        try:
            for camera, pixels in example.images.items():
                png = io.BytesIO()
                Image.fromarray(pixels).save(png, "PNG")
                with _writing(self.folder):
                    write_atomic(self._file(goal, camera, name), png.getvalue())
        except StorageError:
            self._delete(name, goal)
            raise
        self.examples = sorted([*self.examples, example], key=lambda item: item.name)
        return example

    def remove(self, examples: Iterable[Example]) -> None:
        """Deletes examples with their files."""
        gone = {example.name: example for example in examples}
        for example in gone.values():
            self._delete(example.name, example.goal)
        self.examples = [example for example in self.examples if example.name not in gone]

    def write(self, name: str, content: str | bytes) -> None:
        """Writes a file beside the cameras' folders: whole, or the old one stays.

        Raises:
            StorageError: full disk, no permission.
        """
        with _writing(self.folder):
            write_atomic(self.folder / name, content)

    def _place(self, goal: bool, camera: str) -> Path:
        return self.folder / camera if goal else self.folder / NOT / camera

    def _file(self, goal: bool, camera: str, name: str) -> Path:
        return self._place(goal, camera) / f"{name}.png"

    def _delete(self, name: str, goal: bool) -> None:
        with _writing(self.folder):
            for camera in self._cameras:
                self._file(goal, camera, name).unlink(missing_ok=True)


def bursts(examples: Sequence[Example]) -> NDArray[np.int64]:
    """Which burst each example belongs to, int (N,): pictures of a kind without a pause of `GAP_S` or one of the other kind
    in between. Those of a kind whose names do not tell when they were taken are one burst, as nobody knows which are neighbours.

    Args:
        examples: in any order.
    """
    numbers = np.zeros(len(examples), np.int64)
    number, last = 0, None
    moments = [example.moment for example in examples]
    unknown: dict[bool, int] = {}
    for row in sorted(range(len(examples)), key=lambda row: moments[row] or 0.0):
        goal, moment = examples[row].goal, moments[row]
        if moment is None:
            numbers[row] = unknown.setdefault(goal, -1 - len(unknown))
            continue
        if last is None or last[0] != goal or moment - last[1] > GAP_S:
            number += 1
        numbers[row], last = number, (goal, moment)
    return numbers


def _name(stamp_ms: int) -> str:
    seconds, milliseconds = divmod(stamp_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y%m%dT%H%M%S}{milliseconds:03d}"


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """As `files.storing`, where there is no run folder to be moved."""
    try:
        with storing(path):
            yield
    except StorageError as error:
        raise StorageError(error.what, valid=error.valid, next_step="Make room there, or label into another folder.") from error
