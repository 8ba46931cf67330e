"""What LeRobot's and robomimic's own classes read of an export, and write for an import.

Where they are installed: they ask for other versions of what we pin. Passed with lerobot 0.4.4 and robomimic 0.3.0, each installed
with --no-deps and then what it missed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rewardbot.data.episodes import list_episodes, read_episode
from rewardbot.data.exchange.base import Asked, read_in
from rewardbot.types import Episode

FRONT = "observation.images.front"


@pytest.fixture
def lerobot_dataset(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return pytest.importorskip("lerobot.datasets.lerobot_dataset", exc_type=ImportError).LeRobotDataset


def test_lerobot_reads_an_export(lerobot_dataset: Any, exported: Callable[[str], Path], episodes: list[Episode]) -> None:
    found = lerobot_dataset("rewardbot/lift", root=exported("lerobot"))
    assert (len(found), found.num_episodes, found.fps) == (11, 3, 10)
    first, frames = episodes[0], [found[step] for step in range(5)]
    assert [frame["task"] for frame in frames] == ["reach"] * 5
    for step, frame in enumerate(frames):
        np.testing.assert_array_equal(np.round(frame[FRONT].numpy() * 255).transpose(1, 2, 0), first.images["front"][step])
        np.testing.assert_array_equal(frame["observation.state"].numpy(), first.proprio[step])
    np.testing.assert_array_equal([frame["action"].numpy() for frame in frames[:4]], first.applied)
    ahead = lerobot_dataset("rewardbot/lift", root=exported("lerobot"), episodes=[2], delta_timestamps={"action": [0.0, 0.1]})
    np.testing.assert_array_equal(ahead[0]["action"].numpy(), episodes[2].applied[:2])


@pytest.mark.parametrize(("dtype", "lossy"), [("image", 0), ("video", 4)])
def test_what_lerobot_writes_is_imported(lerobot_dataset: Any, tmp_path: Path, dtype: str, lossy: int) -> None:
    camera = {"dtype": dtype, "shape": (64, 64, 3), "names": ["height", "width", "channels"]}
    numbers = {"dtype": "float32", "shape": (4,), "names": ["x", "y", "z", "gripper"]}
    features = {"observation.images.top": camera, "observation.images.wrist": camera, "observation.state": numbers, "action": numbers}
    written = lerobot_dataset.create("they/lift", fps=10, root=tmp_path / "theirs", use_videos=dtype == "video", features=features)
    images = np.broadcast_to(np.arange(0, 250, 25, dtype=np.uint8).reshape(2, 5, 1, 1, 1), (2, 5, 64, 64, 3))
    for of_episode in images:
        for step, image in enumerate(of_episode):
            written.add_frame({
                "observation.images.top": image, "observation.images.wrist": image, "task": "lift the cube",
                "observation.state": np.full(4, step, np.float32), "action": np.full(4, step / 10, np.float32)})
        written.save_episode()
    written.finalize()
    asked = Asked("sim_arm", task="lift", names={"front": "observation.images.top"})
    assert read_in("lerobot", tmp_path / "theirs", tmp_path / "back", asked) == (2, [])
    for path, of_episode in zip(list_episodes(tmp_path / "back"), images, strict=True):
        episode = read_episode(path)
        np.testing.assert_allclose(episode.images["front"].astype(int), of_episode, atol=lossy)
        np.testing.assert_array_equal(episode.applied[:, 0], np.arange(4, dtype=np.float32) / np.float32(10))
        assert episode.proprio[:, 0].tolist() == [0, 1, 2, 3, 4]


def test_robomimic_reads_an_export(exported: Callable[[str], Path], episodes: list[Episode]) -> None:
    dataset = pytest.importorskip("robomimic.utils.dataset", exc_type=ImportError).SequenceDataset
    from robomimic.utils import obs_utils  # pyright: ignore[reportMissingImports]

    keys = {"low_dim": ["proprio"], "rgb": ["front_image", "wrist_image"]}
    obs_utils.initialize_obs_utils_with_obs_specs([{"obs": keys}])
    found = dataset(hdf5_path=str(exported("robomimic")), obs_keys=[key for kind in keys.values() for key in kind],
                    dataset_keys=["actions", "rewards", "dones"], seq_length=2, filter_by_attribute="success", load_next_obs=True)
    assert len(found) == 4, "the successful episode alone, a sequence from each of its steps"
    two, episode = found[1], episodes[0]
    np.testing.assert_array_equal(two["actions"], episode.applied[1:3])
    np.testing.assert_array_equal(two["obs"]["front_image"], episode.images["front"][1:3])
    np.testing.assert_array_equal(two["next_obs"]["proprio"], episode.proprio[2:4])
    assert found[3]["rewards"][0] == 1.0 == found[3]["dones"][0]
