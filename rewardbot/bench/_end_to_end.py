"""RLPD's update on cached features of a frozen encoder, and the same update with the encoder trained by the critics' loss."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rewardbot.data.replay import Batch, Replay, concatenate
from rewardbot.nets.adam import Adam
from rewardbot.nets.encoders import Encoder, to_tensors
from rewardbot.nets.heads import SquashedGaussianPolicy
from rewardbot.nets.optimisation import follow
from rewardbot.policies.rlpd import RLPD, RLPDConfig
from rewardbot.types import PROPRIO_NAMES, Episode, EpisodeInfo

CAMERAS = {"front": (64, 64), "wrist": (64, 64)}
ACTIONS, EPISODES, STEPS = 4, 20, 25

Images = dict[str, NDArray[np.uint8]]
"""Camera name -> uint8 (N, H, W, 3)."""


def cached_and_end_to_end(device: str, seed: int) -> tuple[Callable[[int], None], Callable[[int], None]]:
    """Both updates on the same random episodes, number of updates -> nothing. The reward is given, so neither pays for one."""
    encoder = Encoder(CAMERAS).to(device).requires_grad_(False)
    replays, images = zip(*(_filled(encoder, device, number) for number in (seed, seed + 1)), strict=True)
    config = replace(RLPDConfig(), actor_after=0)
    agent, other = (_agent(config, encoder, device) for _ in range(2))
    reward = torch.rand(2 * config.batch, device=device)

    def cached(updates: int) -> None:
        for _ in range(updates):
            halves = [replay.sample(config.batch) for replay in replays]
            agent.update(halves[0], concatenate(halves), reward)

    trained = copy.deepcopy(encoder).requires_grad_(True)
    target = copy.deepcopy(encoder)
    optimiser = Adam(trained.parameters(), config.critic_rate)

    def end_to_end(updates: int) -> None:
        for _ in range(updates):
            halves = [replay.sample(config.batch) for replay in replays]
            batch = concatenate(halves)
            with torch.no_grad():
                after = target(_seen(images, halves, 1, device))
            features = trained(_seen(images, halves, 0, device))
            optimiser.zero_grad()
            other.update_critic(replace(batch, features=features, next_features=after), reward)
            optimiser.step()
            follow(target, trained, config.target_step)
            if other.count():  # the policy looks through the critics' encoder, and does not change it
                seen = replace(batch, features=features.detach(), next_features=after)
                other.update_actor(seen, _first(seen, config.batch))

    return cached, end_to_end


def _agent(config: RLPDConfig, encoder: Encoder, device: str) -> RLPD:
    policy = SquashedGaussianPolicy(encoder.features, len(PROPRIO_NAMES), ACTIONS, latent=64, hidden=256).to(device)
    return RLPD(config, policy, encoder.features, len(PROPRIO_NAMES), ACTIONS)


def _filled(encoder: Encoder, device: str, seed: int) -> tuple[Replay, Images]:
    """A full replay, and the images of its rows, which it does not keep itself."""
    draw = np.random.default_rng(seed)
    rows = STEPS + 1
    replay = Replay(EPISODES * rows, features=encoder.features, proprio=len(PROPRIO_NAMES), actions=ACTIONS, device=device)
    images = {name: draw.integers(0, 256, (EPISODES * rows, *size, 3), dtype=np.uint8) for name, size in CAMERAS.items()}
    for number in range(EPISODES):
        shown = {name: of[number * rows : (number + 1) * rows] for name, of in images.items()}
        actions = draw.uniform(-1, 1, (STEPS, ACTIONS)).astype(np.float32)
        episode = Episode(EpisodeInfo(str(number), "none", "none", "policy"), np.arange(rows) / 10.0, shown,
                          draw.normal(size=(rows, len(PROPRIO_NAMES))).astype(np.float32), actions, actions, terminated=False)
        replay.add(episode, encoder(to_tensors(shown, device=device)))
    return replay, images


def _seen(images: Sequence[Images], halves: list[Batch], later: int, device: str) -> dict[str, Tensor]:
    """Images of the transitions, `later` 0, or of the observations after them, 1."""
    rows = [(half.rows + later).cpu().numpy() for half in halves]
    seen = {name: np.concatenate([of[name][row] for of, row in zip(images, rows, strict=True)]) for name in CAMERAS}
    return to_tensors(seen, device=device)


def _first(batch: Batch, n: int) -> Batch:
    return Batch(**{name: getattr(batch, name)[:n] for name in Batch.__dataclass_fields__})
