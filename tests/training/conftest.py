"""A learner of seconds: small cameras, networks and episodes, no simulator."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from rewardbot.policies.bc import PLAIN, BCConfig
from rewardbot.policies.rlpd import RLPDConfig
from rewardbot.rewards.discriminator import DiscriminatorConfig
from rewardbot.robots.robot import CameraContract, RobotContract
from rewardbot.training.learner_config import ClassifierConfig, LearnerConfig
from rewardbot.types import Episode, EpisodeInfo, Source


@pytest.fixture(scope="session")
def contract() -> RobotContract:
    """Two cameras, one of them not square."""
    return RobotContract(cameras={"front": CameraContract(10, 8), "wrist": CameraContract(8, 8)})


@pytest.fixture(scope="session")
def config() -> LearnerConfig:
    """A few steps of everything; the actor learns from the first update on."""
    return LearnerConfig(
        bc=BCConfig(steps=3, batch=8, latent=4, hidden=8),
        plain_bc=BCConfig(**{**vars(PLAIN), "steps": 2, "batch": 8, "latent": 4, "hidden": 8}),
        discriminator=DiscriminatorConfig(hidden=8, batch=8),
        classifier=ClassifierConfig(first_steps=3, success_frames=2, every=3),
        rlpd=RLPDConfig(batch=8, critics=3, hidden=8, latent=4, actor_after=0),
        capacity=1000, round_updates=6, most_updates_per_step=2.0, judged_episodes=4, pretrain_threads=1,
    )


@pytest.fixture(scope="session")
def make_episode(contract: RobotContract) -> Callable[..., Episode]:
    """Random episodes."""

    def make(
        number: int = 0, *, steps: int = 6, source: Source = "demonstration", of: RobotContract = contract, terminated: bool = False,
    ) -> Episode:
        draw = np.random.default_rng(number)
        images = {name: draw.integers(0, 256, (steps + 1, camera.height, camera.width, 3), dtype=np.uint8)
                  for name, camera in of.cameras.items()}
        return Episode(
            info=EpisodeInfo(f"{source}-{number}", "reach", of.name, source, seed=number, success=True),
            stamps=np.arange(steps + 1) / 10.0,
            images=images,
            proprio=draw.normal(size=(steps + 1, 4)).astype(np.float32),
            actions=draw.uniform(-1, 1, (steps, 4)).astype(np.float32),
            applied=draw.uniform(-1, 1, (steps, 4)).astype(np.float32),
            terminated=terminated,
        )

    return make
