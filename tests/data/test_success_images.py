"""Success images: a round trip, and every way in which a folder can be wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rewardbot.data.success_images import LEAST, NOT, read_other_images, read_success_images, write_success_images
from rewardbot.errors import DataError
from rewardbot.robots.robot import CameraContract, RobotContract

CONTRACT = RobotContract(cameras={"front": CameraContract(10, 8), "wrist": CameraContract(6, 6)})


@pytest.fixture
def images() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    return {name: draw.integers(0, 256, (LEAST + 2, camera.height, camera.width, 3), dtype=np.uint8)
            for name, camera in CONTRACT.cameras.items()}


@pytest.fixture
def folder(tmp_path: Path, images: dict[str, np.ndarray]) -> Path:
    write_success_images(tmp_path / "shown", images)
    return tmp_path / "shown"


def test_what_is_written_is_read(folder: Path, images: dict[str, np.ndarray]) -> None:
    read = read_success_images(folder, CONTRACT)
    assert read.keys() == images.keys()
    assert all(np.array_equal(read[name], images[name]) for name in images)


def test_grey_and_jpeg_pictures_are_taken_too(folder: Path) -> None:
    path = folder / "front" / "0003.png"
    with Image.open(path) as image:
        image.convert("L").save(path.with_suffix(".jpg"), quality=95)
    path.unlink()
    assert read_success_images(folder, CONTRACT)["front"].shape == (LEAST + 2, 8, 10, 3)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no success images of camera 'front'(.|\n)*rewardbot success-images"):
        read_success_images(tmp_path / "nowhere", CONTRACT)


def test_an_empty_camera(folder: Path) -> None:
    for path in (folder / "wrist").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"no success images of camera 'wrist'(.|\n)*it has: front, wrist"):
        read_success_images(folder, CONTRACT)


def test_an_image_that_one_camera_lacks(folder: Path) -> None:
    (folder / "wrist" / "0004.png").unlink()
    with pytest.raises(DataError, match=r"camera 'front' has 0004, which another camera lacks(.|\n)*same file names"):
        read_success_images(folder, CONTRACT)


def test_too_few(tmp_path: Path, images: dict[str, np.ndarray]) -> None:
    write_success_images(tmp_path, {name: of[: LEAST - 1] for name, of in images.items()})
    with pytest.raises(DataError, match=rf"holds {LEAST - 1} success images(.|\n)*At least {LEAST}"):
        read_success_images(tmp_path, CONTRACT)


def test_another_size(folder: Path) -> None:
    Image.new("RGB", (20, 16)).save(folder / "front" / "0002.png")
    with pytest.raises(DataError, match=r"0002.png is 20x16(.|\n)*This camera has 10x8"):
        read_success_images(folder, CONTRACT)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n and no more", b"text"])
def test_no_image(folder: Path, content: bytes) -> None:
    (folder / "front" / "0002.png").write_bytes(content)
    with pytest.raises(DataError, match=r"0002.png is no readable image(.|\n)*Delete it"):
        read_success_images(folder, CONTRACT)


def test_an_image_cut_in_the_middle(folder: Path) -> None:
    path = folder / "front" / "0002.png"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match="no readable image"):
        read_success_images(folder, CONTRACT)


# Pictures without the goal.


def test_those_without_the_goal_are_read_for_themselves(folder: Path, images: dict[str, np.ndarray]) -> None:
    assert all(of.shape == (0, camera.height, camera.width, 3)
               for of, camera in zip(read_other_images(folder, CONTRACT).values(), CONTRACT.cameras.values(), strict=True))
    write_success_images(folder / NOT, {name: 255 - of[:3] for name, of in images.items()})
    others = read_other_images(folder, CONTRACT)
    assert all(np.array_equal(others[name], 255 - of[:3]) for name, of in images.items())
    shown = read_success_images(folder, CONTRACT)
    assert all(np.array_equal(shown[name], of) for name, of in images.items()), "they are no success images"


def test_one_without_the_goal_that_a_camera_lacks(folder: Path, images: dict[str, np.ndarray]) -> None:
    write_success_images(folder / NOT, {"front": images["front"]})
    with pytest.raises(DataError, match=r"camera 'wrist' in .*not/wrist"):
        read_other_images(folder, CONTRACT)
