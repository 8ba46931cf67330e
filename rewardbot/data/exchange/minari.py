"""Minari: a folder with HDF5 data, read by `minari.load_dataset`.

The folder's name is the dataset's id, such as `lift-v0`, and its parent is where Minari looks (MINARI_DATASETS_PATH). Observations
are those of `robots.env.RobotEnv`: an image per camera, and "proprio". Actions are those applied; the infos hold `requested_action`
(T, A), `stamp` [s] (T + 1,) and `takeover` (T,), true where an operator acted. Rewards are the operator's verdict. Images are stored
as they are, without JPEG.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rewardbot.data.exchange import base
from rewardbot.data.exchange.base import Recorded
from rewardbot.data.takeovers import steps_taken_over
from rewardbot.errors import DataError
from rewardbot.robots.robot import RobotContract
from rewardbot.types import PROPRIO_NAMES, Episode

CAMERA, PROPRIO, ACTION = "{}", "proprio", "action"
_ABOUT = "rewardbot"  # of an episode's metadata


def write(place: Path, name: str, contract: RobotContract, episodes: Iterable[Episode]) -> None:
    """Makes the folder `place`; see `base`."""
    if not re.fullmatch(r"[-_\w]+-v\d+", name):
        raise DataError(f"'{name}' cannot be the name of a Minari dataset.", valid="A name and a version, such as lift-v0.")
    minari, library = base.library("minari"), base.library("minari.dataset.minari_storage")
    base.library("h5py")
    spaces = base.library("gymnasium.spaces")
    sides = {camera: (size.height, size.width, 3) for camera, size in contract.cameras.items()}
    observations = spaces.Dict({
        **{camera: spaces.Box(0, 255, shape, np.uint8) for camera, shape in sides.items()},
        PROPRIO: spaces.Box(-np.inf, np.inf, (len(PROPRIO_NAMES),), np.float32)})
    place.mkdir()
    storage = library.MinariStorage.new(
        place / "data", observations, spaces.Box(-1.0, 1.0, (contract.action_dim,), np.float32), data_format="hdf5",
        jpeg_encoding=False)
    storage.update_metadata({
        "dataset_id": name, "minari_version": minari.__version__, "algorithm_name": "rewardbot",
        "description": f"Episodes of robot {contract.name}. The reward is the operator's verdict, 1 at the end of a success."})
    for number, episode in enumerate(episodes):
        storage.update_episodes([_buffer(minari, episode)])
        storage.update_episode_metadata([{_ABOUT: base.about(episode, contract)}], [number])


def about(source: Path) -> str | None:
    """See `base`."""
    storage = _dataset(source).storage
    return next(iter(storage.get_episode_metadata([0]))).get(_ABOUT)


def read(source: Path, contract: RobotContract, names: Mapping[str, str]) -> Iterator[Recorded]:
    """See `base`."""
    dataset = _dataset(source)
    found = {**_flat(dataset.observation_space), ACTION: dataset.action_space}
    base.check_features(source, {key: base.feature(space.dtype, space.shape or ()) for key, space in found.items()},
                        base.features(contract, names, CAMERA, PROPRIO, ACTION))
    for number in range(len(dataset)):
        episode = next(iter(dataset.iterate_episodes([number])))
        known = next(iter(dataset.storage.get_episode_metadata([number])))
        infos = episode.infos or {}
        yield Recorded(
            images={camera: _inside(episode.observations, names.get(camera, camera)) for camera in contract.cameras},
            proprio=_inside(episode.observations, names.get(base.PROPRIO, PROPRIO)), applied=episode.actions,
            requested=infos.get("requested_action"), stamps=infos.get("stamp"), about=known.get(_ABOUT),
            seed=known.get("seed"), terminated=bool(len(episode) and episode.terminations[-1]))


def _buffer(minari: Any, episode: Episode) -> Any:
    steps = len(episode)
    terminations, truncations = np.zeros((2, steps), np.bool_)
    terminations[-1], truncations[-1] = episode.terminated, not episode.terminated
    return minari.data_collector.EpisodeBuffer(
        seed=episode.info.seed, observations={**episode.images, PROPRIO: episode.proprio}, actions=episode.applied,
        rewards=base.verdicts(episode, steps), terminations=terminations, truncations=truncations,
        infos={"requested_action": episode.actions, "stamp": episode.stamps,
               "takeover": steps_taken_over(episode.info, steps)})


def _dataset(source: Path) -> Any:
    minari = base.library("minari")
    base.library("h5py")
    place = source / "data" if (source / "data").is_dir() else source
    if not (place / "metadata.json").is_file():
        raise DataError(f"{source} is no Minari dataset.", valid="A folder with data/metadata.json and data/main_data.hdf5.")
    return minari.MinariDataset(place)


def _flat(space: Any, path: str = "") -> dict[str, Any]:
    """Boxes of nested observation spaces by path, such as pixels/front."""
    if hasattr(space, "spaces") and isinstance(space.spaces, Mapping):
        return {key: box for name, inner in space.spaces.items()
                for key, box in _flat(inner, f"{path}/{name}" if path else name).items()}
    return {path or "observation": space}


def _inside(observations: Any, path: str) -> NDArray[Any]:
    for name in path.split("/"):
        observations = observations[name]
    return observations
