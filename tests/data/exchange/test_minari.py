"""Minari's own reader opens what is written, and its own storage writes what is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import minari
import numpy as np
import pytest
from gymnasium import spaces
from minari.data_collector import EpisodeBuffer

from rewardbot.data.episodes import list_episodes, read_episode
from rewardbot.data.exchange.base import Asked, read_in, write_out
from rewardbot.errors import DataError
from rewardbot.types import Episode


def test_minari_loads_it(
    exported: Callable[[str], Path], episodes: list[Episode], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = exported("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(place.parent))
    dataset = minari.load_dataset("lift-v0")
    assert (dataset.id, len(dataset), dataset.total_steps) == ("lift-v0", 3, 8)
    assert list(minari.list_local_datasets()) == ["lift-v0"]
    for episode, found in zip(episodes, dataset.iterate_episodes(), strict=True):
        assert found.observations.keys() == {"front", "wrist", "proprio"}
        for name, images in episode.images.items():
            assert np.array_equal(found.observations[name], images), "no JPEG"
        assert np.array_equal(found.observations["proprio"], episode.proprio)
        assert np.array_equal(found.actions, episode.applied) and np.array_equal(found.infos["requested_action"], episode.actions)
        assert np.array_equal(found.infos["stamp"], episode.stamps)
        assert all(dataset.action_space.contains(action) for action in found.actions)
        assert dataset.observation_space.contains({name: values[0] for name, values in found.observations.items()})
    first, second, third = dataset.iterate_episodes()
    assert first.rewards.tolist() == [0, 0, 0, 1] and second.rewards.tolist() == [0] and third.rewards.tolist() == [0, 0, 0]
    assert first.terminations.tolist() == [False, False, False, True] and not first.truncations.any()
    assert second.truncations.tolist() == [True] and not second.terminations.any()
    assert first.infos["takeover"].tolist() == [False, True, True, False]
    seeds = [known.get("seed") for known in dataset.storage.get_episode_metadata(range(3))]
    assert seeds == [1, 2, None]


@pytest.mark.parametrize("name", ["lift", "lift-v", "lift v0", "-v1"])
def test_a_name_that_minari_cannot_find(tmp_path: Path, bags: list[Path], name: str) -> None:
    with pytest.raises(DataError, match=r"cannot be the name of a Minari dataset(.|\n)*lift-v0"):
        write_out("minari", bags, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset that Minari itself made, with JPEG and nested observations."""
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "theirs"))
    camera = spaces.Box(0, 255, (64, 64, 3), np.uint8)
    observations = spaces.Dict({"pixels": spaces.Dict({"top": camera, "wrist": camera}), "state": spaces.Box(-1, 1, (4,))})
    images = np.full((3, 64, 64, 3), 40, np.uint8)
    buffer = EpisodeBuffer(
        seed=5, observations={"pixels": {"top": images, "wrist": images}, "state": np.zeros((3, 4), np.float32)},
        actions=np.full((2, 4), 0.5, np.float32), rewards=[0.0, 0.0], terminations=[False, True], truncations=[False, False])
    with pytest.warns(UserWarning):
        minari.create_dataset_from_buffers(
            "cell/arm-v0", [buffer], observation_space=observations, action_space=spaces.Box(-1, 1, (4,)))
    return tmp_path / "theirs" / "cell" / "arm-v0"


def test_data_of_others(tmp_path: Path, theirs: Path) -> None:
    with pytest.raises(DataError, match=r"no 'front', there is no 'wrist'(.|\n)*pixels/top: uint8 \(64, 64, 3\)"):
        read_in("minari", theirs, tmp_path / "back", Asked("sim_arm", "reach"))
    names = {"front": "pixels/top", "wrist": "pixels/wrist", "proprio": "state"}
    assert read_in("minari", theirs, tmp_path / "back", Asked("sim_arm", "reach", True, names)) == (1, [])
    (path,) = list_episodes(tmp_path / "back")
    episode = read_episode(path)
    assert (episode.info.seed, episode.info.success, episode.terminated, len(episode)) == (5, True, True, 2)
    assert (episode.applied == 0.5).all() and (abs(episode.images["front"].astype(int) - 40) <= 2).all()
