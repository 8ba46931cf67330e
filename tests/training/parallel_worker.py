"""What each process of test_parallel.py does: `parallel_worker.py FOLDER`. Its weights go to FOLDER/<kind>-<rank>.pt."""

from __future__ import annotations

import sys
from pathlib import Path
from unittest import mock

import numpy as np
import torch

from rewardbot.data.transitions import Transitions
from rewardbot.nets import parallel
from rewardbot.policies.bc import PLAIN, BCConfig
from rewardbot.policies.rlpd import RLPDConfig
from rewardbot.policies.sac import SAC, SACConfig
from rewardbot.rewards.discriminator import DiscriminatorConfig
from rewardbot.robots.robot import CameraContract, RobotContract
from rewardbot.training.learner import Learner
from rewardbot.training.learner_config import ClassifierConfig, LearnerConfig
from rewardbot.types import Episode, EpisodeInfo, Source

CONTRACT = RobotContract(cameras={"front": CameraContract(8, 8)})
CONFIG = LearnerConfig(
    bc=BCConfig(steps=3, batch=8, latent=4, hidden=8), plain_bc=BCConfig(**{**vars(PLAIN), "steps": 2, "latent": 4, "hidden": 8}),
    discriminator=DiscriminatorConfig(hidden=8, batch=8), classifier=ClassifierConfig(first_steps=3, success_frames=2, every=3),
    rlpd=RLPDConfig(batch=8, critics=3, hidden=8, latent=4, actor_after=0), capacity=1000, most_updates_per_step=100.0,
)


@mock.patch.object(torch, "randn_like", torch.zeros_like)
def sac(rank: int) -> list[torch.nn.Module]:
    """Each process takes its share of the same batches. Actions are the most likely ones, so that nothing is drawn."""
    agent = SAC(SACConfig(hidden=8, rate=1e-2), 3, 2, seed=rank)
    parallel.share(agent.actor, agent.critic, agent.target)
    draw = torch.Generator().manual_seed(0)
    for _ in range(20):
        rows = torch.randn(16, 2 * 3 + 2 + 2, generator=draw).chunk(parallel.processes())[rank]
        agent.update(Transitions(rows, 3, 2))
    return [agent.actor, agent.critic, agent.target]


def episode(number: int, source: Source) -> Episode:
    draw = np.random.default_rng(number)
    return Episode(
        EpisodeInfo(f"{source}-{number}", "reach", CONTRACT.name, source, seed=number, success=True), np.arange(31) / 10.0,
        {"front": draw.integers(0, 256, (31, 8, 8, 3), dtype=np.uint8)}, draw.normal(size=(31, 4)).astype(np.float32),
        draw.uniform(-1, 1, (30, 4)).astype(np.float32), draw.uniform(-1, 1, (30, 4)).astype(np.float32), terminated=False)


def learner(rank: int) -> list[torch.nn.Module]:
    """The same demonstrations, but each process starts from other random numbers and visits other states."""
    found = Learner(CONFIG, CONTRACT, "reach", seed=rank)
    found.pretrain([episode(number, "demonstration") for number in range(4)], lambda stage, share: None)
    for number in range(5):
        found.add_episode(episode(100 * (rank + 1) + number, "policy"))
        found.update()
    agent = found.agent
    return [found.encoder, agent.actor, agent.average, agent.critic, agent.target, found.classifier.discriminator]


KINDS = {"sac": sac, "learner": learner}


def weights(kind: str, rank: int) -> dict[str, torch.Tensor]:
    """What was learned, by name; `stop`: whether the second process, were there one, would end it for all."""
    stop = parallel.any_of(rank == 1, torch.device("cpu"))
    modules = enumerate(KINDS[kind](rank))
    found = {f"{index}.{name}": value for index, module in modules for name, value in module.state_dict().items()}
    return {"stop": torch.tensor(stop), **found}


if __name__ == "__main__":
    torch.set_num_threads(1)
    with parallel.group() as number:
        for one in KINDS:
            torch.save(weights(one, number), Path(sys.argv[1]) / f"{one}-{number}.pt")
