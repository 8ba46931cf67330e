"""Three small episodes as bags: a success, a failure of one step, and one that nobody judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rewardbot.data.episodes import write_episode
from rewardbot.data.exchange.base import write_out
from rewardbot.robots.robot import CameraContract, RobotContract
from rewardbot.types import Episode


@pytest.fixture(scope="session")
def contract() -> RobotContract:
    """Cameras so large that Minari takes them for images, one of them not square."""
    return RobotContract(cameras={"front": CameraContract(40, 34), "wrist": CameraContract(36, 36)})


@pytest.fixture(scope="session")
def episodes(make_episode: Callable[..., Episode]) -> list[Episode]:
    first = make_episode("a", steps=4, seed=1, terminated=True)
    third = make_episode("c", steps=3, seed=3, success=None, source="policy", start_ns=1_795_000_000_123_456_789)
    return [replace(first, info=replace(first.info, extra={**first.info.extra, "takeovers": [[1, 3]]})),
            make_episode("b", steps=1, seed=2, success=False),
            replace(third, info=replace(third.info, seed=None))]


@pytest.fixture(scope="session")
def bags(tmp_path_factory: pytest.TempPathFactory, episodes: list[Episode], contract: RobotContract) -> list[Path]:
    """To be read only."""
    folder = tmp_path_factory.mktemp("bags")
    return [write_episode(folder, episode, contract) for episode in episodes]


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory, bags: list[Path]) -> Callable[[str], Path]:
    """The bags in a format, by its name; to be read only."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("lerobot", "minari", "robomimic")}

    def get(name: str) -> Path:
        place = folders[name] / {"lerobot": "lift", "minari": "lift-v0", "robomimic": "lift.hdf5"}[name]
        if not place.exists():
            write_out(name, bags, place)
        return place

    return get
