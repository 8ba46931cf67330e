"""What every exchange format shares: which episodes go out, what comes in, and what is refused with a list of what is there.

A format is a module beside this one with three functions:

    write(place, name, contract, episodes)   makes the file or folder `place`, which is to be called `name`, one episode at a time
    about(source)                            the text that `about` gave for the first episode, or None for data of others
    read(source, contract, names)            yields a `Recorded` per episode, one at a time

Only raw data go out. Where a format has a column of rewards, it is the operator's verdict: 1 at the end of a success, else 0.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from rewardbot import registry
from rewardbot.data import decode
from rewardbot.data.bag_header import BagHeader
from rewardbot.data.bags import require_alike
from rewardbot.data.encode import check_episode
from rewardbot.data.episodes import read_episode, write_episode
from rewardbot.data.staging import reserve, staged
from rewardbot.errors import ConfigError, DataError, RewardbotError, unknown_name
from rewardbot.robots.robot import RobotContract, load_contract
from rewardbot.types import PROPRIO_NAMES, Episode, EpisodeInfo

PROPRIO, ACTION = "proprio", "action"
"""What `Asked.names` may rename beside cameras."""

_MARGIN = 16 << 20  # for all that is no image [bytes]

T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """What data of others are to become. What rewardbot exported knows all of it.

    Attributes:
        robot: name of the robot contract, or None.
        task: name of the task, or None for what the data say.
        success: call each episode a success that holds no verdict of its own.
        names: camera, "proprio" or "action" -> what the data call it.
    """

    robot: str | None = None
    task: str | None = None
    success: bool = False
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Recorded:
    """One episode of T steps as a format holds it; None is what it does not say.

    Attributes:
        images: camera -> uint8 (T + 1, H, W, 3).
        proprio: (T + 1, 4).
        applied, requested: (T, A).
        stamps: (T + 1,) [s].
        about: the text that `about` gave for it.
    """

    images: Mapping[str, NDArray[np.uint8]]
    proprio: NDArray[Any]
    applied: NDArray[Any]
    requested: NDArray[Any] | None = None
    stamps: NDArray[np.float64] | None = None
    about: str | None = None
    task: str | None = None
    seed: int | None = None
    success: bool | None = None
    terminated: bool = False


def write_out(
    name: str, bags: Sequence[Path], out: Path, *, progress: Callable[[float], None] = lambda share: None
) -> int:
    """Writes the episodes in `bags` to `out` in the format `name`; returns their number.

    Raises:
        ConfigError: unknown format, or its library is missing.
        DataError: no bags, bags of several tasks or robots, a damaged one, or `out` holds something or cannot be written.
    """
    module = registry.load("exchange", name)
    contract = require_alike(bags).contract

    with staged(out) as place:

        def episodes() -> Iterator[Episode]:
            for number, path in enumerate(bags):
                episode = read_episode(path)
                # No format takes more: every observation at most twice.
                reserve(place, 2 * sum(image.nbytes for image in episode.images.values()) + _MARGIN)
                yield episode
                progress((number + 1) / len(bags))

        module.write(place, out.resolve().name, contract, episodes())
    return len(bags)


def read_in(
    name: str, source: Path, folder: Path, asked: Asked, *, progress: Callable[[int], None] = lambda count: None
) -> tuple[int, list[str]]:
    """Writes the episodes in `source`, of the format `name`, as bags to the new or empty `folder`.

    Returns:
        The number of bags, and a line for each episode that was left out, with the reason.

    Raises:
        ConfigError: unknown format, robot or name, or the format's library is missing.
        DataError: not such data, damaged, of other features or another rate than the robot has, or `folder` holds something.
    """
    module = registry.load("exchange", name)
    with _of(source, name):
        first = module.about(source)
    contract = _contract(source, first, asked)
    if wrong := sorted(set(asked.names) - {PROPRIO, ACTION, *contract.cameras}):
        raise unknown_name(f"part of robot '{contract.name}'", wrong[0], (PROPRIO, ACTION, *contract.cameras))
    count, left_out = 0, list[str]()
    with staged(folder) as place:
        place.mkdir()
        for number, recorded in enumerate(_each(module.read(source, contract, asked.names), source, name)):
            episode = _episode(recorded, f"{name}-{number:04d}", contract, asked)
            if len(episode):
                write_episode(place, episode, contract)
                count += 1
            else:
                left_out.append(f"{episode.info.id} has a single observation and no step")
            progress(number + 1)
        if not count:
            raise DataError(f"{source} holds no episode with a step.")
    return count, left_out


def about(episode: Episode, contract: RobotContract) -> str:
    """All that an episode is beside its arrays, and the robot's contract, as JSON."""
    return json.dumps({**json.loads(BagHeader(episode.info, contract).to_json()), "terminated": episode.terminated})


def verdicts(episode: Episode, length: int) -> NDArray[np.float32]:
    """The column of rewards, float32 (length,): the operator's verdict at the end."""
    rewards = np.zeros(length, np.float32)
    rewards[-1] = episode.info.success is True
    return rewards


def features(contract: RobotContract, names: Mapping[str, str], camera: str, proprio: str, action: str) -> dict[str, str]:
    """What a format must hold for a robot, each as `feature` writes it.

    Args:
        names: see `Asked`.
        camera: what the format calls camera "{}".
        proprio, action: what it calls these.
    """
    return {
        **{names.get(name, camera.format(name)): feature("uint8", (size.height, size.width, 3))
           for name, size in contract.cameras.items()},
        names.get(PROPRIO, proprio): feature("float", (len(PROPRIO_NAMES),)),
        names.get(ACTION, action): feature("float", (contract.action_dim,))}


def feature(dtype: Any, shape: Iterable[int]) -> str:
    """Element type and shape of one moment as text; numbers of all precisions are "float"."""
    kind = str(dtype)
    return f"{'float' if kind.startswith('float') else kind} ({', '.join(str(int(side)) for side in shape)})"


def check_features(source: Path, found: Mapping[str, str], needed: Mapping[str, str]) -> None:
    """Compares what `feature` wrote.

    Raises:
        DataError: something is missing or different; lists all that is there and all that is needed.
    """
    wrong = [f"'{name}' is {found[name]}" if name in found else f"there is no '{name}'"
             for name, what in needed.items() if found.get(name) != what]
    if wrong:
        def listed(features: Mapping[str, str]) -> str:
            return "; ".join(f"{name}: {what}" for name, what in sorted(features.items())) or "(nothing)"

        raise DataError(f"{source} has other features than the robot: {', '.join(wrong)}.",
                        valid=f"It holds {listed(found)}.\n  Needed is {listed(needed)}.",
                        next_step="--map THEIRS=OURS tells what is only called otherwise; --robot NAME names another robot.")


def check_rate(source: Path, hz: float, contract: RobotContract) -> None:
    """Refuses another control rate, with which an action would mean something else."""
    if not np.isclose(hz, contract.control_hz):
        raise DataError(f"{source} has {hz:g} steps a second.",
                        valid=f"Robot '{contract.name}' takes {contract.control_hz:g} actions a second.",
                        next_step="Resample it, or name a robot with this rate.")


@contextmanager
def reading(part: object) -> Iterator[None]:
    """Whatever a library makes of a damaged file becomes a DataError that names it, or what else in a data set `part` is."""
    try:
        yield
    except RewardbotError:
        raise
    except Exception as error:
        raise DataError(f"{part} is damaged or cannot be read: {' '.join(str(error).split()) or type(error).__name__}",
                        next_step="Restore it from a copy, or export it anew.") from error


def library(name: str) -> Any:
    """An optional library, imported now.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ConfigError(f"{error.name} is not installed.", next_step="pip install 'rewardbot[exchange]'") from None


def _contract(source: Path, first: str | None, asked: Asked) -> RobotContract:
    named = load_contract(asked.robot) if asked.robot else None
    if first is None:
        if named is None:
            raise ConfigError(f"{source} was not written by rewardbot and does not say which robot it is of.",
                              next_step="Name it: --robot NAME, and --task NAME.")
        return named
    exported = BagHeader.from_json(first, source).contract
    if named not in (None, exported):
        raise DataError(f"{source} is of robot '{exported.name}', whose contract is not that of '{asked.robot}'.",
                        next_step="Leave --robot out: the contract comes with the data.")
    return exported


def _episode(recorded: Recorded, id: str, contract: RobotContract, asked: Asked) -> Episode:
    terminated = recorded.terminated
    if recorded.about is not None:
        header = BagHeader.from_json(recorded.about, Path(id))
        info, terminated = header.info, bool(json.loads(recorded.about).get("terminated"))
        if header.contract != contract:
            raise DataError(f"Episode {info.id} is of another robot contract than the first one.")
        info = dataclasses.replace(info, task=asked.task or info.task)
    elif task := asked.task or recorded.task:
        success = True if recorded.success is None and asked.success else recorded.success
        info = EpisodeInfo(id, task, contract.name, "demonstration", seed=recorded.seed, success=success)
        if len(recorded.applied) and np.abs(recorded.applied).max() > 1.0:
            raise DataError(f"Actions of {id} reach {np.abs(recorded.applied).max():g}.", valid="Each must be in [-1, 1].",
                            next_step=f"Divide them by what a full action of robot '{contract.name}' is.")
    else:
        raise ConfigError("The data do not say which task they are of.", next_step="Name it: --task NAME.")
    applied = np.asarray(recorded.applied, np.float32)
    # As if the robot's clock had started with the episode.
    stamps = [decode.seconds(round(step * decode.NS_PER_S / contract.control_hz)) for step in range(len(applied) + 1)]
    episode = Episode(
        info, np.array(stamps) if recorded.stamps is None else recorded.stamps, recorded.images,
        np.asarray(recorded.proprio, np.float32),
        applied if recorded.requested is None else np.asarray(recorded.requested, np.float32), applied, terminated)
    if len(episode):
        check_episode(episode, contract)
    return episode


def _each(items: Iterator[T], source: Path, name: str) -> Iterator[T]:
    while True:
        with _of(source, name):
            item = next(items, None)
        if item is None:
            return
        yield item


@contextmanager
def _of(source: Path, name: str) -> Iterator[None]:
    """Whatever a format's library makes of strange or damaged files becomes a DataError."""
    try:
        if not source.exists():
            raise DataError(f"There is no file or folder {source}.")
        yield
    except RewardbotError:
        raise
    except Exception as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{source} is damaged, or no {name} data: {said}") from error
