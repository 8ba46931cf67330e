"""robomimic: one HDF5 file, data/demo_<n> with observations, actions, rewards and dones.

As https://robomimic.github.io/docs/datasets/overview.html describes it. Beside what that names, each demo holds `requested_actions`
(`actions` are those applied), `stamps` [s] of its T + 1 observations and `takeovers`, 1 where an operator acted. Rewards are the
operator's verdict. `mask/success` and `mask/failure` are filter keys. The environment that env_args names is none of
robomimic's: train without rollouts. robomimic does not install beside our libraries, so that the tests read with h5py what its
`SequenceDataset` reads; in an environment of its own that of robomimic 0.3.0 has read what is written here.
"""

from __future__ import annotations

import json
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
from rewardbot.types import Episode

CAMERA, PROPRIO, ACTION = "{}_image", "proprio", "actions"
_ABOUT = "rewardbot"  # an attribute
_GYM = 2  # robomimic's EnvType.GYM_TYPE


def write(place: Path, name: str, contract: RobotContract, episodes: Iterable[Episode]) -> None:
    """Makes the file `place`; see `base`."""
    h5py = base.library("h5py")
    judged: dict[bool, list[str]] = {True: [], False: []}
    with h5py.File(place, "w") as file:
        data = file.create_group("data")
        total, task = 0, ""
        for number, episode in enumerate(episodes):
            demo = f"demo_{number}"
            _write_demo(data.create_group(demo), episode, contract)
            total, task = total + len(episode), episode.info.task
            if episode.info.success is not None:
                judged[episode.info.success].append(demo)
        data.attrs["total"] = total
        data.attrs["env_args"] = json.dumps({
            "env_name": task, "type": _GYM, "env_type": _GYM,
            "env_kwargs": {"robot": contract.name, "control_freq": contract.control_hz}})
        for verdict, demos in judged.items():
            if demos:
                file[f"mask/{'success' if verdict else 'failure'}"] = np.array(demos, "S")


def about(source: Path) -> str | None:
    """See `base`."""
    if source.is_dir():
        raise DataError(f"{source} is a folder.", valid="robomimic's data are one HDF5 file.")
    with base.library("h5py").File(source, "r") as file:
        found = _demos(file, source)[0].attrs.get(_ABOUT)
        return None if found is None else str(found)


def read(source: Path, contract: RobotContract, names: Mapping[str, str]) -> Iterator[Recorded]:
    """See `base`."""
    needed = base.features(contract, names, CAMERA, PROPRIO, ACTION)
    action, proprio = names.get(base.ACTION, ACTION), names.get(base.PROPRIO, PROPRIO)
    with base.library("h5py").File(source, "r") as file:
        environment = json.loads(file["data"].attrs.get("env_args", "{}"))
        if rate := environment.get("env_kwargs", {}).get("control_freq"):
            base.check_rate(source, rate, contract)
        for demo in _demos(file, source):
            arrays = {**dict(demo["obs"]), **{key: demo[key] for key in demo if not hasattr(demo[key], "keys")}}
            base.check_features(
                source, {key: base.feature(array.dtype, array.shape[1:]) for key, array in arrays.items()}, needed)
            complete = "next_obs" in demo  # else there is no observation after the last action
            steps = len(arrays[action]) if complete else len(arrays[action]) - 1

            def column(key: str, demo: Any = demo, complete: bool = complete) -> NDArray[Any]:
                return np.concatenate([demo["obs"][key][()], demo["next_obs"][key][-1:]]) if complete else demo["obs"][key][()]

            yield Recorded(
                images={camera: column(names.get(camera, CAMERA.format(camera))) for camera in contract.cameras},
                proprio=column(proprio), applied=arrays[action][:steps],
                requested=arrays["requested_actions"][:] if "requested_actions" in arrays else None,
                stamps=arrays["stamps"][:] if "stamps" in arrays else None,
                about=demo.attrs.get(_ABOUT), task=environment.get("env_name"),
                terminated=bool(arrays["dones"][steps - 1]) if complete and "dones" in arrays else False)


def _write_demo(demo: Any, episode: Episode, contract: RobotContract) -> None:
    steps = len(episode)
    demo.attrs["num_samples"] = steps
    demo.attrs[_ABOUT] = base.about(episode, contract)
    columns = {CAMERA.format(name): images for name, images in episode.images.items()} | {PROPRIO: episode.proprio}
    for group, rows in (("obs", slice(0, steps)), ("next_obs", slice(1, steps + 1))):
        for key, array in columns.items():
            # In chunks of one moment: robomimic reads single moments.
            packing = {"chunks": (1, *array.shape[1:]), "compression": "gzip"} if array.dtype == np.uint8 else {}
            demo.create_dataset(f"{group}/{key}", data=array[rows], **packing)
    dones = np.zeros(steps, np.int64)
    dones[-1] = episode.terminated
    for key, array in {
        ACTION: episode.applied, "requested_actions": episode.actions, "stamps": episode.stamps, "dones": dones,
        "rewards": base.verdicts(episode, steps), "takeovers": steps_taken_over(episode.info, steps).astype(np.int64),
        "states": np.zeros((steps, 0)),
    }.items():
        demo.create_dataset(key, data=array)


def _demos(file: Any, source: Path) -> list[Any]:
    data = file.get("data")
    names = [name for name in data or () if name.startswith("demo_") and name[5:].isdigit()]
    if not names:
        raise DataError(f"{source} is no robomimic data: it has no data/demo_0.", valid=f"It has: {', '.join(file) or '(nothing)'}.")
    return [data[name] for name in sorted(names, key=lambda name: int(name[5:]))]
