"""robomimic: what its documentation names and its SequenceDataset reads, with h5py; data of others."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from rewardbot.data.episodes import list_episodes, read_episode
from rewardbot.data.exchange.base import Asked, read_in
from rewardbot.errors import DataError
from rewardbot.types import Episode


def test_structure(exported: Callable[[str], Path], episodes: list[Episode]) -> None:
    with h5py.File(exported("robomimic"), "r", swmr=True, libver="latest") as file:  # as robomimic opens it
        data: Any = file["data"]
        assert sorted(data) == ["demo_0", "demo_1", "demo_2"] and data.attrs["total"] == 8
        environment = json.loads(data.attrs["env_args"])
        assert environment["env_name"] == "reach" and environment["type"] == 2
        assert environment["env_kwargs"] == {"robot": "sim_arm", "control_freq": 10.0}
        masks = {name: [demo.decode() for demo in file[f"mask/{name}"][:]] for name in file["mask"]}  # type: ignore[union-attr]
        assert masks == {"success": ["demo_0"], "failure": ["demo_1"]}
        for number, episode in enumerate(episodes):
            demo, steps = data[f"demo_{number}"], len(episode)
            assert demo.attrs["num_samples"] == steps
            assert {key: demo[key].shape[0] for key in ("actions", "rewards", "dones", "states")} == dict.fromkeys(
                ("actions", "rewards", "dones", "states"), steps)
            assert np.array_equal(demo["actions"], episode.applied)
            for key, array in (("front_image", episode.images["front"]), ("wrist_image", episode.images["wrist"]),
                               ("proprio", episode.proprio)):
                assert demo["obs"][key].dtype == array.dtype
                assert np.array_equal(demo["obs"][key], array[:-1]) and np.array_equal(demo["next_obs"][key], array[1:])
        first = data["demo_0"]
        assert first["rewards"][:].tolist() == [0, 0, 0, 1] and first["dones"][:].tolist() == [0, 0, 0, 1]
        assert first["takeovers"][:].tolist() == [0, 1, 1, 0]
        assert data["demo_1"]["rewards"][:].tolist() == [0] and data["demo_1"]["dones"][:].tolist() == [0]


def theirs(path: Path, *, next_obs: bool = True, dones: bool = True, hz: float = 10.0, pixels: int = 64, demos: int = 1) -> Path:
    with h5py.File(path, "w") as file:
        for number in range(demos):
            demo = file.create_group(f"data/demo_{number}")
            demo.attrs["num_samples"] = 3
            demo["actions"] = np.full((3, 4), 0.25 * (number % 3))
            for group in ("obs", "next_obs") if next_obs else ("obs",):
                demo[f"{group}/agentview_image"] = np.full((3, pixels, pixels, 3), 9, np.uint8)
                demo[f"{group}/wrist_image"] = np.full((3, pixels, pixels, 3), 8, np.uint8)
                demo[f"{group}/tool"] = np.arange(12.0).reshape(3, 4) + (group == "next_obs") * 4
            if dones:
                demo["dones"] = [0, 0, 1]
        file["data"].attrs["env_args"] = json.dumps({"env_name": "Lift", "env_kwargs": {"control_freq": hz}})
    return path


NAMES = {"front": "agentview_image", "proprio": "tool"}


def test_data_of_others(tmp_path: Path) -> None:
    source = theirs(tmp_path / "a.hdf5", demos=11)
    with pytest.raises(DataError, match=r"no 'front_image', there is no 'proprio'(.|\n)*agentview_image: uint8 \(64, 64, 3\)"):
        read_in("robomimic", source, tmp_path / "back", Asked("sim_arm", "lift"))
    assert read_in("robomimic", source, tmp_path / "back", Asked("sim_arm", "lift", names=NAMES)) == (11, [])
    episode = read_episode(list_episodes(tmp_path / "back")[10])
    assert (episode.info.task, episode.info.success, episode.terminated, len(episode)) == ("lift", None, True, 3)
    assert episode.proprio[:, 0].tolist() == [0, 4, 8, 12] and (episode.applied == 0.25).all(), "demo_10 is the eleventh"
    source = theirs(tmp_path / "b.hdf5", next_obs=False)
    read_in("robomimic", source, tmp_path / "short", Asked("sim_arm", names=NAMES))
    episode = read_episode(tmp_path / "short" / "robomimic-0000")
    assert (episode.info.task, episode.terminated, len(episode)) == ("Lift", False, 2), "no observation follows the last action"


@pytest.mark.parametrize(("change", "says"), [
    ({"hz": 20.0}, r"20 steps a second(.|\n)*takes 10"),
    ({"pixels": 84}, r"'wrist_image' is uint8 \(84, 84, 3\)"),
    ({"demos": 0}, "is damaged, or no robomimic data|no data/demo_0"),
])
def test_other_features(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    if change.get("demos") == 0:
        with h5py.File(tmp_path / "a.hdf5", "w") as file:
            file["data/something"] = 1
    else:
        theirs(tmp_path / "a.hdf5", **change)
    with pytest.raises(DataError, match=says):
        read_in("robomimic", tmp_path / "a.hdf5", tmp_path / "back", Asked("sim_arm", "lift", names=NAMES))
    assert not (tmp_path / "back").exists()


def test_actions_of_another_length(tmp_path: Path, exported: Callable[[str], Path]) -> None:
    source = shutil.copy(exported("robomimic"), tmp_path / "a.hdf5")
    with h5py.File(source, "r+") as file:
        del file["data/demo_1/actions"]
        file["data/demo_1/actions"] = np.zeros((4, 4), np.float32)
    with pytest.raises(DataError, match="is damaged, or no robomimic data"):
        read_in("robomimic", Path(source), tmp_path / "back", Asked())
