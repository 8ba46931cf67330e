"""Is the goal visible in these pictures? Learned in seconds from a few dozen labelled ones, for a person who waits for it.

A small encoder and a discriminator, trained together. Checked by cross-validation in which whole bursts are held out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rewardbot.config import setting
from rewardbot.data.success_images import Images
from rewardbot.errors import DataError
from rewardbot.nets.encoders import Encoder, random_shift, to_tensors
from rewardbot.nets.optimisation import train
from rewardbot.rewards.discriminator import Discriminator, DiscriminatorConfig
from rewardbot.rewards.goal_classifier import classifier_to_bytes

SEED = 0
AT_ONCE = 64
"""Pictures that are judged in one pass, so that many need no more memory than few."""

Progress = Callable[[float], None]


@dataclass(frozen=True)
class ImageClassifierConfig:
    """Hyper-parameters. No mixup and no noise on features that are themselves learned; pictures are varied instead."""

    steps: int = setting(200, "gradient steps of each fit", min=1)
    folds: int = setting(3, "parts of the cross-validation, if there are as many bursts of each kind", min=2)
    channels: int = setting(8, "of the encoder's last convolutions", min=4)
    shift: int = setting(4, "pictures are moved by up to as much [px]", min=0)
    light: float = setting(0.1, "spread of brightness and colour that is added, share of full scale", min=0.0)
    discriminator: DiscriminatorConfig = setting(
        DiscriminatorConfig(batch=8, dropout=0.1, noise=0.0, mixup=False, learning_rate=8e-3), "what reads the features")


class ImageClassifier(nn.Module):
    """One set of camera images in, a logit out.

    Args:
        config: see `ImageClassifierConfig`.
        cameras: camera name -> (height, width) [px].
    """

    def __init__(self, config: ImageClassifierConfig, cameras: Mapping[str, tuple[int, int]]) -> None:
        super().__init__()
        self.encoder = Encoder(dict(cameras), config.channels)
        self.discriminator = Discriminator(config.discriminator, self.encoder.features)

    def forward(self, images: dict[str, Tensor]) -> Tensor:
        """Camera name -> (N, 3, H, W) in [0, 255]; returns logits (N,)."""
        return self.discriminator(self.encoder(images))

    @torch.no_grad()
    def probability(self, images: Mapping[str, NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Goal probability of each row, camera name -> uint8 (N, H, W, 3) to float32 (N,)."""
        tensors = to_tensors(images)
        rows = torch.arange(len(next(iter(tensors.values())))).split(AT_ONCE)
        logits = [self({name: of[some] for name, of in tensors.items()}) for some in rows]
        return torch.sigmoid(torch.cat(logits)).numpy()

    def to_bytes(self, description: Mapping[str, Any]) -> bytes:
        """For `DeployedClassifier`; `description` names the `cameras`.

        Nothing is calibrated: of both kinds there are examples, equally often in training, so the output is a probability.
        """
        return classifier_to_bytes(self.encoder, self.discriminator, torch.ones(()), {**description, "version": 1})


def fit(
    config: ImageClassifierConfig, images: Images, labels: NDArray[np.bool_], progress: Progress = lambda share: None
) -> ImageClassifier:
    """Trains a classifier; both kinds are drawn equally often. The same pictures give the same classifier.

    Args:
        config: see `ImageClassifierConfig`.
        images: camera name -> uint8 (N, H, W, 3).
        labels: True where the goal is visible, (N,).
        progress: told the share that is done; what it raises ends the training.

    Raises:
        DataError: one of the two kinds is missing.
    """
    if labels.all() or not labels.any():
        raise DataError(f"There is no picture {'without' if labels.any() else 'with'} the goal to learn from.")
    tensors = {name: of.contiguous() for name, of in to_tensors(images).items()}
    rows = [torch.from_numpy(np.flatnonzero(labels == kind)) for kind in (True, False)]
    n = config.discriminator.batch
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        classifier = ImageClassifier(config, {name: (of.shape[1], of.shape[2]) for name, of in images.items()})
        with torch.no_grad():
            classifier.discriminator.set_scale(classifier.encoder({name: of[:AT_ONCE] for name, of in tensors.items()}))

        def loss_of_a_batch() -> Tensor:
            drawn = torch.cat([of_a_kind[torch.randint(len(of_a_kind), (n,))] for of_a_kind in rows])
            varied = {name: relit(random_shift(of[drawn].float(), config.shift), config.light) for name, of in tensors.items()}
            features = classifier.encoder(varied)
            return classifier.discriminator.bce_loss(features[:n], features[n:])

        train(classifier, loss_of_a_batch, steps=config.steps, rate=config.discriminator.learning_rate,
              weight_decay=config.discriminator.weight_decay, progress=progress)
    return classifier


def cross_validate(
    config: ImageClassifierConfig, images: Images, labels: NDArray[np.bool_], bursts: NDArray[np.integer],
    progress: Progress = lambda share: None,
) -> NDArray[np.float32]:
    """Goal probability of each picture from a classifier that has not seen its burst, float32 (N,).

    Args:
        config: see `ImageClassifierConfig`.
        images: camera name -> uint8 (N, H, W, 3).
        labels: (N,).
        bursts: number of the burst that each picture belongs to, (N,). Pictures of a burst are nearly the same, and a
            classifier that has seen one of them knows the others by heart; so a burst is held out as a whole.
        progress: told the share of each fold that is done; what it raises ends the training.

    Raises:
        DataError: fewer than two bursts of a kind, so that none can be held out.
    """
    folds = folds_of(config, labels, bursts)
    probabilities = np.zeros(len(labels), np.float32)
    for fold in range(folds.max() + 1):
        out = folds == fold
        trained = fit(config, {name: of[~out] for name, of in images.items()}, labels[~out], progress)
        probabilities[out] = trained.probability({name: of[out] for name, of in images.items()})
    return probabilities


def folds_of(config: ImageClassifierConfig, labels: NDArray[np.bool_], bursts: NDArray[np.integer]) -> NDArray[np.int64]:
    """The fold in which each picture is held out, int (N,): bursts of either kind, by most of their pictures, are dealt in turn.

    Raises:
        DataError: see `cross_validate`.
    """
    kinds = {burst: bool(labels[bursts == burst].mean() >= 0.5) for burst in np.unique(bursts)}
    hands = [[burst for burst, kind in kinds.items() if kind is which] for which in (True, False)]
    count = min(config.folds, *map(len, hands))
    if count < 2:
        raise DataError(f"{len(hands[0])} bursts with the goal and {len(hands[1])} without: none can be held out.",
                        valid="At least 2 of each are needed to check a classifier.")
    dealt = {burst: number % count for hand in hands for number, burst in enumerate(hand)}
    return np.array([dealt[burst] for burst in bursts], np.int64)


def relit(images: Tensor, spread: float) -> Tensor:
    """Images, float (N, 3, H, W) in [0, 255], each under another light: brightness times, and colours plus, random numbers."""
    gain = 1.0 + spread * torch.randn(len(images), 1, 1, 1)
    offset = 255.0 * spread / 4 * torch.randn(len(images), 3, 1, 1)
    return (images * gain + offset).clamp(0.0, 255.0)
