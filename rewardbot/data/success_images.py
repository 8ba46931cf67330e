"""Success images: what the cameras see when the goal is reached, without any action. `DIR/<camera>/<name>.png`.

One image of each camera makes an example; its files have the same name in each camera's folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rewardbot.errors import DataError
from rewardbot.robots.robot import RobotContract

SUCCESS_IMAGES = "success_images"
"""Folder of a run folder."""

SUFFIXES = (".png", ".jpg", ".jpeg")
LEAST = 10
"""Examples below which nothing can be learned and checked."""

Images = dict[str, NDArray[np.uint8]]
"""Camera name -> uint8 (N, H, W, 3), row n of each camera from the same moment."""


def read_success_images(folder: Path, contract: RobotContract) -> Images:
    """All examples of `folder`, in the order of their names.

    Raises:
        DataError: no folder, a camera without images, unequal names, an unreadable image, another size, or too few.
    """
    paths = {camera: _images_in(folder, camera) for camera in contract.cameras}
    names = {camera: {path.stem for path in of} for camera, of in paths.items()}
    everywhere = set.intersection(*names.values())
    for camera, found in names.items():
        if alone := sorted(found - everywhere):
            raise DataError(f"{folder}: camera '{camera}' has {', '.join(alone[:3])}{' ...' if len(alone) > 3 else ''}, "
                            "which another camera lacks.", valid="Each camera's folder holds the same file names.",
                            next_step="Add the missing images, or delete these.")
    if len(everywhere) < LEAST:
        raise DataError(f"{folder} holds {len(everywhere)} success images of each camera.",
                        valid=f"At least {LEAST} are needed, 100 from all around are good.",
                        next_step="rewardbot success-images takes some in simulation.")
    return {camera: np.stack([_read(path, contract.cameras[camera].width, contract.cameras[camera].height) for path in of])
            for camera, of in paths.items()}


def write_success_images(folder: Path, images: Mapping[str, NDArray[np.uint8]]) -> None:
    """Writes examples, camera name -> uint8 (N, H, W, 3), as `read_success_images` takes them.

    Raises:
        OSError: full disk, no permission.
    """
    for camera, of in images.items():
        (folder / camera).mkdir(parents=True, exist_ok=True)
        for number, image in enumerate(of):
            Image.fromarray(image).save(folder / camera / f"{number:04d}.png")


def _images_in(folder: Path, camera: str) -> list[Path]:
    place = folder / camera
    found = sorted(path for path in place.glob("*") if path.suffix.lower() in SUFFIXES) if place.is_dir() else []
    if not found:
        here = sorted(path.name for path in folder.glob("*") if path.is_dir()) if folder.is_dir() else []
        raise DataError(f"There are no success images of camera '{camera}' in {place}.",
                        valid=f"{folder} has a folder of .png or .jpg files for each camera"
                        + (f"; it has: {', '.join(here)}." if here else "."),
                        next_step="rewardbot success-images takes some in simulation.")
    return found


def _read(path: Path, width: int, height: int) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError) as error:  # what Pillow's readers raise
        raise DataError(f"{path} is no readable image: {error}", next_step="Delete it, or take it again.") from None
    if pixels.shape != (height, width, 3):
        raise DataError(f"{path} is {pixels.shape[1]}x{pixels.shape[0]}.", valid=f"This camera has {width}x{height}.",
                        next_step="Take success images with the camera settings of the robot's file.")
    return pixels
