"""A small robot and episodes of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from rewardbot.robots.robot import CameraContract, RobotContract
from rewardbot.types import Episode, EpisodeInfo, Source

PERIOD_NS = 100_000_000


CONTRACT = RobotContract(cameras={"front": CameraContract(10, 8), "wrist": CameraContract(8, 8)})


@pytest.fixture(scope="session")
def contract() -> RobotContract:
    """Two cameras, one of them not square, so that a swap of width and height shows."""
    return CONTRACT


@pytest.fixture(scope="session")
def make_episode() -> Callable[..., Episode]:
    """Random episodes of that robot, whatever `contract` is in a folder below, with stamps as ROS gives them."""

    def make(
        id: str = "e1", *, steps: int = 4, start_ns: int = 7 * PERIOD_NS, seed: int = 0, task: str = "reach",
        source: Source = "demonstration", success: bool | None = True, terminated: bool = False,
    ) -> Episode:
        draw = np.random.default_rng(seed)
        return Episode(
            info=EpisodeInfo(id, task, CONTRACT.name, source, seed=seed, success=success, policy_version=3,
                             extra={"note": "ünï", "numbers": [1, 2.5, None]}),
            stamps=np.array([(start_ns + k * PERIOD_NS) / 1_000_000_000 for k in range(steps + 1)]),
            images={name: draw.integers(0, 256, (steps + 1, camera.height, camera.width, 3), dtype=np.uint8)
                    for name, camera in CONTRACT.cameras.items()},
            proprio=np.hstack([draw.normal(size=(steps + 1, 3)), draw.uniform(size=(steps + 1, 1))]).astype(np.float32),
            actions=draw.uniform(-1, 1, (steps, 4)).astype(np.float32),
            applied=draw.uniform(-1, 1, (steps, 4)).astype(np.float32),
            terminated=terminated,
        )

    return make


@pytest.fixture(scope="session")
def assert_same() -> Callable[[Episode, Episode], None]:
    """Bit for bit."""

    def check(one: Episode, other: Episode) -> None:
        assert one.info == other.info
        assert one.terminated == other.terminated
        assert one.images.keys() == other.images.keys()
        pairs = [(getattr(one, name), getattr(other, name)) for name in ("stamps", "proprio", "actions", "applied")]
        for a, b in [*pairs, *((one.images[name], other.images[name]) for name in one.images)]:
            assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())

    return check
