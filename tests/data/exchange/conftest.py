"""Three small episodes as bags: a success, a failure of one step, and one that nobody judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
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
def episodes(make_episode: Callable[..., Episode], contract: RobotContract) -> list[Episode]:
    def make(id: str, *, seed: int, **more: Any) -> Episode:
        made, draw = make_episode(id, seed=seed, **more), np.random.default_rng(seed)
        return replace(made, images={name: draw.integers(0, 256, (len(made) + 1, camera.height, camera.width, 3), dtype=np.uint8)
                                     for name, camera in contract.cameras.items()})

    first = make("a", seed=1, steps=4, terminated=True)
    third = make("c", seed=3, steps=3, success=None, source="policy", start_ns=1_795_000_000_123_456_789)
    return [replace(first, info=replace(first.info, extra={**first.info.extra, "takeovers": [[1, 3]]})),
            make("b", seed=2, steps=1, success=False),
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
