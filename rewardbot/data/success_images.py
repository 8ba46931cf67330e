"""Pictures of a goal, without any action: `DIR/<camera>/<name>.png` where it is reached, `DIR/not/<camera>/<name>.png` where not.

One image of each camera makes an example; its files have the same name in each camera's folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rewardbot.errors import DataError
from rewardbot.robots.robot import CameraContract, RobotContract

SUCCESS_IMAGES = "success_images"
"""Folder of a run folder."""

NOT = "not"
"""Folder, beside the cameras', of the pictures without the goal."""

SUFFIXES = (".png", ".jpg", ".jpeg")
LEAST = 10
"""Examples below which nothing can be learned and checked."""

Images = dict[str, NDArray[np.uint8]]
"""Camera name -> uint8 (N, H, W, 3), row n of each camera from the same moment."""


def read_success_images(folder: Path, contract: RobotContract) -> Images:
    """All examples of the goal in `folder`, in the order of their names; what is in `not/` is none of them.

    Raises:
        DataError: no folder, a camera without images, unequal names, an unreadable image, another size, or too few.
    """
    examples = _examples(folder, contract)
    if len(examples) < LEAST:
        raise DataError(f"{folder} holds {len(examples)} success images of each camera.",
                        valid=f"At least {LEAST} are needed, 100 from all around are good.",
                        next_step="rewardbot success-images takes some in simulation, rewardbot label-goal from cameras.")
    return _stacked(examples, contract)


def read_other_images(folder: Path, contract: RobotContract) -> Images:
    """All pictures without the goal, from `folder/not`, in the order of their names; no row where there are none.

    Raises:
        DataError: unequal names, an unreadable image, or another size.
    """
    place = folder / NOT
    there = any(found_in(place / camera) for camera in contract.cameras)
    return _stacked(_examples(place, contract) if there else [], contract)


def write_success_images(folder: Path, images: Mapping[str, NDArray[np.uint8]]) -> None:
    """Writes examples, camera name -> uint8 (N, H, W, 3), as `read_success_images` takes them; into `folder/not`: the others.

    Raises:
        OSError: full disk, no permission.
    """
    for camera, of in images.items():
        (folder / camera).mkdir(parents=True, exist_ok=True)
        for number, image in enumerate(of):
            Image.fromarray(image).save(folder / camera / f"{number:04d}.png")


def found_in(place: Path) -> list[Path]:
    """The image files in one camera's folder, in the order of their names; none if there is no such folder."""
    return sorted(path for path in place.glob("*") if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))


def read_image(path: Path, camera: CameraContract) -> NDArray[np.uint8]:
    """An image file of one camera, uint8 (H, W, 3).

    Raises:
        DataError: no readable image, or another size.
    """
    try:
        with Image.open(path) as image:
            pixels = np.array(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError) as error:  # what Pillow's readers raise
        raise DataError(f"{path} is no readable image: {error}", next_step="Delete it, or take it again.") from None
    if pixels.shape != (camera.height, camera.width, 3):
        raise DataError(f"{path} is {pixels.shape[1]}x{pixels.shape[0]}.", valid=f"This camera has {camera.width}x{camera.height}.",
                        next_step="Take success images with the camera settings of the robot's file.")
    return pixels


def _examples(folder: Path, contract: RobotContract) -> list[dict[str, Path]]:
    """The files of each example by camera, in the order of the names."""
    paths = {camera: {path.stem: path for path in found_in(folder / camera)} for camera in contract.cameras}
    for camera, of in paths.items():
        if not of:
            here = sorted(path.name for path in folder.glob("*") if path.is_dir()) if folder.is_dir() else []
            raise DataError(f"There are no success images of camera '{camera}' in {folder / camera}.",
                            valid=f"{folder} has a folder of .png or .jpg files for each camera"
                            + (f"; it has: {', '.join(here)}." if here else "."),
                            next_step="rewardbot success-images takes some in simulation, rewardbot label-goal from cameras.")
    everywhere = set.intersection(*(set(of) for of in paths.values()))
    for camera, of in paths.items():
        if alone := sorted(set(of) - everywhere):
            raise DataError(f"{folder}: camera '{camera}' has {', '.join(alone[:3])}{' ...' if len(alone) > 3 else ''}, "
                            "which another camera lacks.", valid="Each camera's folder holds the same file names.",
                            next_step="Add the missing images, or delete these.")
    return [{camera: of[name] for camera, of in paths.items()} for name in sorted(everywhere)]


def _stacked(examples: list[dict[str, Path]], contract: RobotContract) -> Images:
    return {camera: np.array([read_image(example[camera], size) for example in examples], np.uint8)
            .reshape(-1, size.height, size.width, 3) for camera, size in contract.cameras.items()}
