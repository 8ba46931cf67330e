"""The store of labelled pictures: whole files or none, taken back, read again, and which pictures belong together."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardbot.data.success_images import read_other_images, read_success_images, write_success_images
from rewardbot.errors import ConfigError, DataError
from rewardbot.robots.robot import CameraContract, RobotContract
from rewardbot.training.files import StorageError
from rewardbot.training.labels import GAP_S, Example, LabelStore, bursts

CONTRACT = RobotContract(name="two", cameras={"front": CameraContract(10, 8), "wrist": CameraContract(6, 6)})
START = 1_795_255_200.25
"""2026-11-21 10:00:00.25 UTC."""


def images(number: int) -> dict[str, np.ndarray]:
    return {name: np.full((camera.height, camera.width, 3), number, np.uint8) for name, camera in CONTRACT.cameras.items()}


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_what_is_added_is_on_the_disk_and_is_what_training_reads(tmp_path: Path) -> None:
    store = LabelStore(tmp_path, CONTRACT)
    for number in range(12):
        store.add(number < 10, images(number), START + number)
    assert files(tmp_path)[0] == "front/20261121T100000250.png" and files(tmp_path)[-1] == "wrist/20261121T100009250.png"
    assert read_success_images(tmp_path, CONTRACT)["front"][:, 0, 0, 0].tolist() == list(range(10))
    assert read_other_images(tmp_path, CONTRACT)["wrist"][:, 0, 0, 0].tolist() == [10, 11]
    again = LabelStore(tmp_path, CONTRACT)
    assert [(e.name, e.goal, e.moment) for e in again.examples] == [(e.name, e.goal, e.moment) for e in store.examples]
    assert again.examples[3].moment == START + 3 and (again.examples[3].images["wrist"] == 3).all()


def test_two_of_the_same_millisecond_are_two(tmp_path: Path) -> None:
    store = LabelStore(tmp_path, CONTRACT)
    names = [store.add(goal, images(0), START).name for goal in (True, True, False)]
    assert names == ["20261121T100000250", "20261121T100000251", "20261121T100000252"]


def test_what_is_taken_back_is_gone(tmp_path: Path) -> None:
    store = LabelStore(tmp_path, CONTRACT)
    kept, *gone = [store.add(number != 2, images(number), START + number) for number in range(4)]
    store.remove(gone)
    assert store.examples == [kept] and files(tmp_path) == [f"front/{kept.name}.png", f"wrist/{kept.name}.png"]
    store.remove(gone)


def test_pictures_of_others_are_read_too(tmp_path: Path) -> None:
    write_success_images(tmp_path, {name: np.stack([image] * 3) for name, image in images(7).items()})
    store = LabelStore(tmp_path, CONTRACT)
    assert [(example.name, example.goal, example.moment) for example in store.examples] == [
        ("0000", True, None), ("0001", True, None), ("0002", True, None)]


def test_what_a_kill_between_two_cameras_leaves_is_dropped_and_what_is_not_ours_stays(tmp_path: Path) -> None:
    store = LabelStore(tmp_path, CONTRACT)
    ours, kept = store.add(False, images(0), START), store.add(True, images(1), START + 1)
    (tmp_path / "not" / "wrist" / f"{ours.name}.png").unlink()
    (tmp_path / "front" / "mine.png").write_bytes(b"whatever")
    (tmp_path / "front" / ".20261121T100000250.77.png").write_bytes(b"half")
    assert [example.name for example in LabelStore(tmp_path, CONTRACT).examples] == [kept.name]
    assert files(tmp_path)[:3] == ["front/.20261121T100000250.77.png", f"front/{kept.name}.png", "front/mine.png"]
    assert not any(name.startswith("not") for name in files(tmp_path))


def test_a_full_disk_leaves_nothing_of_the_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LabelStore(tmp_path, CONTRACT)
    kept = store.add(True, images(0), START)
    original, calls = os.fsync, []

    def full_at_the_second_camera(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) > 2:  # the first camera's file and its folder
            raise OSError(28, os.strerror(28))
        original(descriptor)

    monkeypatch.setattr(os, "fsync", full_at_the_second_camera)
    with pytest.raises(StorageError, match=r"No space left(.|\n)*Make room there, or label into another folder"):
        store.add(True, images(1), START + 1)
    assert store.examples == [kept] and files(tmp_path) == [f"front/{kept.name}.png", f"wrist/{kept.name}.png"]


def test_a_folder_that_cannot_be_made() -> None:
    with pytest.raises(StorageError, match=r"/sys/rewardbot(.|\n)*another folder"):
        LabelStore(Path("/sys/rewardbot"), CONTRACT)


def test_another_size_is_refused(tmp_path: Path) -> None:
    LabelStore(tmp_path, CONTRACT).add(True, images(0), START)
    other = RobotContract(cameras={"front": CameraContract(20, 16), "wrist": CameraContract(6, 6)})
    with pytest.raises(DataError, match=r"is 10x8(.|\n)*has 20x16"):
        LabelStore(tmp_path, other)


@pytest.mark.parametrize(("cameras", "said"), [({}, "'two' has no camera"), ({"not": CameraContract(8, 8)}, "a camera named 'not'")])
def test_cameras_that_cannot_be_labelled(cameras: dict[str, CameraContract], said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        LabelStore(tmp_path / "new", RobotContract(name="two", cameras=cameras))
    assert not (tmp_path / "new").exists()


# Bursts.


def example(goal: bool, moment: float | None) -> Example:
    name = "anything" if moment is None else f"20261121T1000{round(moment * 1000):05d}"
    return Example(name, goal, {})


def test_a_burst_ends_with_a_pause_or_with_the_other_kind() -> None:
    moments = [(True, 1.0), (True, 1.2), (True, 1.2 + GAP_S), (True, 3.5 + GAP_S), (False, 5.7), (True, 5.9), (True, None),
               (False, None), (True, None)]
    assert bursts([example(*moment) for moment in moments]).tolist() == [1, 1, 1, 2, 3, 4, -1, -2, -1]


@given(st.permutations(range(6)))
def test_the_order_in_which_they_are_given_does_not_matter(order: list[int]) -> None:
    given = [(True, 1.0), (True, 1.5), (False, 2.0), (True, 2.2), (True, 9.0), (False, None)]
    expected = bursts([example(*moment) for moment in given])
    found = bursts([example(*given[place]) for place in order])
    assert found.tolist() == expected[order].tolist()
