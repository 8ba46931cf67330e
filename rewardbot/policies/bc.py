"""Behaviour cloning: maximise log pi(a | s) on demonstrations, here as regression of the squashed mean.

Pomerleau 1989. It is the baseline of every run, and what it learns to see is what the reinforcement learner sees through.
Its weighted relatives have the same loss: filtered by `filtered_bc.top_share`, advantage-weighted by `advantage_weights`.

Learns from: demonstrations.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rewardbot.config import setting
from rewardbot.data.replay import Batch
from rewardbot.nets.encoders import WIDTH, Encoder, random_shift, to_tensors
from rewardbot.nets.heads import SquashedGaussianPolicy, mlp
from rewardbot.nets.optimisation import train
from rewardbot.types import Episode


@dataclass(frozen=True)
class BCConfig:
    """Defaults are the tuned recipe; `PLAIN` is the textbook's."""

    steps: int = setting(600, "gradient steps", min=1)
    batch: int = setting(64, "demonstration steps per batch", min=1)
    learning_rate: float = setting(2e-3, "peak of the one-cycle schedule", min=0.0)
    weight_decay: float = setting(1e-4, "AdamW weight decay", min=0.0)
    shift: int = setting(2, "random image shift [px]", min=0)
    dropout: float = setting(0.1, "dropout after the first hidden layer", min=0.0, max=0.9)
    proprio_noise: float = setting(0.1, "noise on standardised proprioception", min=0.0)
    latent: int = setting(64, "image latent", min=1)
    hidden: int = setting(256, "hidden width", min=1)
    channels: int = setting(WIDTH, "channels of the encoder's convolutions", min=4)
    mixed_precision: bool = setting(False, "train the convolutions in bfloat16, which only pays on a GPU")


PLAIN = BCConfig(steps=300, shift=0, dropout=0.0, proprio_noise=0.0, weight_decay=0.0)


@dataclass(frozen=True)
class DemonstrationSet:
    """All demonstrated steps.

    Attributes:
        images: camera name -> uint8 (N, 3, H, W).
        proprio: float32 (N, P).
        actions: applied actions, float32 (N, A).
        weights: how much each step counts, float32 (N,), on average 1; None: all alike.
    """

    images: dict[str, Tensor]
    proprio: Tensor
    actions: Tensor
    weights: Tensor | None = None

    def __len__(self) -> int:
        return len(self.actions)


def demonstration_set(
    episode: Episode, cameras: Iterable[str], device: torch.device | str = "cpu", steps: NDArray[np.bool_] | None = None
) -> DemonstrationSet:
    """The steps of an episode, or those of them that are True in `steps`, bool (T,)."""
    chosen = np.arange(len(episode)) if steps is None else np.flatnonzero(steps)
    images = to_tensors({name: episode.images[name][chosen] for name in cameras})
    proprio, actions = (torch.from_numpy(numbers[chosen]).to(device) for numbers in (episode.proprio, episode.applied))
    return DemonstrationSet({name: image.contiguous().to(device) for name, image in images.items()}, proprio, actions)


def join(sets: Sequence[DemonstrationSet]) -> DemonstrationSet:
    """One set of all, in which every step counts alike."""
    return DemonstrationSet({name: torch.cat([one.images[name] for one in sets]) for name in sets[0].images},
                            torch.cat([one.proprio for one in sets]), torch.cat([one.actions for one in sets]))


def cloning_loss(predicted: Tensor, actions: Tensor, weights: Tensor | None = None) -> Tensor:
    """E[w ||pi(s) - a||^2 / A] over predicted and demonstrated actions (N, A) with weights (N,), 1 if not given."""
    error = (predicted - actions).square().mean(-1)
    return error.mean() if weights is None else (weights * error).mean()


def advantage_weights(advantages: Tensor, temperature: float, most: float = 20.0) -> Tensor:
    """Weights of advantage-weighted BC: w ~ exp(A / beta), at most `most` before scaling (AWR: Peng et al. 2019, section 3.1).

    Args:
        advantages: of each step, (N,).
        temperature: beta; the larger, the more alike.

    Returns:
        float32 (N,), on average 1.
    """
    weights = (advantages / temperature).exp().clamp(max=most)
    return weights / weights.mean()


class BehaviourCloning(nn.Module):
    """An encoder and a policy trained together on demonstrations.

    Args:
        config: see `BCConfig`.
        cameras: camera name -> (height, width) [px].
        proprio: length of proprioception.
        actions: length of an action.
    """

    def __init__(self, config: BCConfig, cameras: dict[str, tuple[int, int]], proprio: int, actions: int) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(cameras, config.channels)
        self.policy = SquashedGaussianPolicy(
            self.encoder.features, proprio, actions, config.latent, config.hidden, config.dropout
        )

    def bc_loss(
        self, images: dict[str, Tensor], proprio: Tensor, actions: Tensor, weights: Tensor | None = None
    ) -> Tensor:
        """E[w ||tanh(mu(s)) - a||^2] over augmented demonstration steps, see `cloning_loss`."""
        config = self.config
        seen = {name: random_shift(image.float(), config.shift) for name, image in images.items()}
        noise = config.proprio_noise * self.policy.proprio_std * torch.randn_like(proprio)  # type: ignore[operator]
        with torch.autocast(proprio.device.type, torch.bfloat16, enabled=config.mixed_precision):
            features = self.encoder(seen)
        return cloning_loss(self.policy.mode(features, proprio + noise), actions, weights)

    def fit(self, data: DemonstrationSet, progress: Callable[[float], None], generator: torch.Generator) -> float:
        """Trains on `data`; returns the last tenth's mean loss. Leaves the module in evaluation mode."""
        config = self.config
        self.policy.set_scale(data.proprio)

        def loss_of_a_batch() -> Tensor:
            rows = torch.randint(len(data.proprio), (config.batch,), generator=generator, device=generator.device)
            images = {name: image[rows] for name, image in data.images.items()}
            weights = None if data.weights is None else data.weights[rows]
            return self.bc_loss(images, data.proprio[rows], data.actions[rows], weights)

        return train(self, loss_of_a_batch, steps=config.steps, rate=config.learning_rate, weight_decay=config.weight_decay,
                     progress=progress)

    def frozen_encoder(self) -> Encoder:
        """A copy of the encoder that no gradient changes."""
        return copy.deepcopy(self.encoder).eval().requires_grad_(False)


def fit_policy(policy: SquashedGaussianPolicy, sample: Callable[[int], Batch], config: BCConfig) -> float:
    """Behaviour cloning behind a frozen encoder, on features of demonstrated steps: `policy` goes on from what it is.

    Args:
        policy: trained in place, and left in evaluation mode.
        sample: so many demonstrated steps.
        config: `steps`, `batch`, `learning_rate`, `weight_decay` and `proprio_noise` count; dropout is the policy's own.

    Returns:
        The last tenth's mean loss.
    """

    def loss_of_a_batch() -> Tensor:
        batch = sample(config.batch)
        noise = config.proprio_noise * policy.proprio_std * torch.randn_like(batch.proprio)  # type: ignore[operator]
        return cloning_loss(policy.mode(batch.features, batch.proprio + noise), batch.actions)

    return train(policy, loss_of_a_batch, steps=config.steps, rate=config.learning_rate, weight_decay=config.weight_decay,
                 progress=lambda share: None)


class StateCloning(nn.Module):
    """The same from state vectors, without cameras.

    Args:
        config: see `BCConfig`; `proprio_noise` is that on standardised states.
        states, actions: lengths S of a state and A of an action.
    """

    def __init__(self, config: BCConfig, states: int, actions: int) -> None:
        super().__init__()
        self.config = config
        self.body = mlp(states, config.hidden, actions)
        self.register_buffer("mean", torch.zeros(states))
        self.register_buffer("std", torch.ones(states))

    def forward(self, state: Tensor, noise: float = 0.0) -> Tensor:
        """tanh(mu(s)), (N, S) -> (N, A)."""
        standardised = (state - self.mean) / self.std  # type: ignore[operator]
        return torch.tanh(self.body(standardised + noise * torch.randn_like(state)))

    def fit(self, states: Tensor, actions: Tensor, weights: Tensor | None, generator: torch.Generator) -> float:
        """Trains on steps (N, S) and (N, A), see `cloning_loss`; returns the last tenth's mean loss."""
        config = self.config
        self.mean.copy_(states.mean(0))  # type: ignore[operator]
        self.std.copy_(states.std(0) + 1e-3)  # type: ignore[operator]

        def loss_of_a_batch() -> Tensor:
            rows = torch.randint(len(states), (config.batch,), generator=generator, device=generator.device)
            predicted = self(states[rows], config.proprio_noise)
            return cloning_loss(predicted, actions[rows], None if weights is None else weights[rows])

        return train(self, loss_of_a_batch, steps=config.steps, rate=config.learning_rate, weight_decay=config.weight_decay,
                     progress=lambda share: None)

    @torch.no_grad()
    def act(self, state: NDArray[np.floating]) -> NDArray[np.float32]:
        """The action for one state (S,), float32 (A,) in [-1, 1]."""
        return self(torch.as_tensor(state, dtype=torch.float32, device=self.mean.device)[None])[0].cpu().numpy()  # type: ignore[arg-type]
