"""The goal classifier: is this camera image inside the goal set? Its probability is the reward.

Trained once on success examples and given negatives, and then frozen, it is *exploited* by reinforcement learning: the policy
finds states that no negative ruled out. `vice.py` repairs that. Keep the two beside each other; the difference is the lesson.

Learns from: success examples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rewardbot.config import from_mapping, to_mapping
from rewardbot.data.pool import Pool
from rewardbot.data.replay import Batch
from rewardbot.errors import DataError
from rewardbot.nets.adam import Adam
from rewardbot.nets.encoders import Encoder, stored_encoder, to_tensors
from rewardbot.nets.optimisation import descend
from rewardbot.nets.weights import from_bytes, load_into, named, reading, to_bytes
from rewardbot.rewards.base import RewardModel
from rewardbot.rewards.discriminator import Discriminator, DiscriminatorConfig

NegativeSampler = Callable[[int], Tensor]
"""n -> features of n states outside the goal set, (n, F)."""

THRESHOLD = 0.5
"""Goal probability from which a state counts as a success, relative to what held-out success examples get."""


class GoalClassifier(RewardModel):
    """p(goal | image features) from success examples and negatives.

    It is calibrated by success examples that were held out of training: r(s) = D(s) / E_heldout[D].
    With balanced batches D tends to 1/2 on success states once the policy succeeds and its states are negatives; the ratio
    stays 1 there, so the reward does not fade exactly when it works.

    Args:
        config: the discriminator's.
        positives: features of success examples, (N, F).
        heldout: features of success examples that are never trained on, (M, F).
        negatives: sampler of negatives.

    Attributes:
        positives: the success examples; more of them may be added.

    Raises:
        DataError: no success example.
    """

    def __init__(
        self, config: DiscriminatorConfig, positives: Tensor, heldout: Tensor, negatives: NegativeSampler
    ) -> None:
        if not len(positives) or not len(heldout):
            raise DataError("There is no success example to learn the goal from.",
                            next_step="Record at least two successful demonstrations, or give success images.")
        # Evaluation mode except within `fit`: a restored classifier is asked for rewards before it is fitted.
        self.discriminator = Discriminator(config, positives.shape[1]).to(positives.device).eval()
        self.level = torch.ones((), device=positives.device)
        self.positives, self._heldout, self._negatives = Pool(positives), heldout, negatives
        self.optimiser = Adam(self.discriminator.parameters(), config.learning_rate, weight_decay=config.weight_decay)
        self.discriminator.set_scale(torch.cat([positives, negatives(max(1000, 4 * len(positives)))]))

    def fit(self, steps: int, progress: Callable[[float], None] = lambda share: None) -> float:
        """`steps` balanced gradient steps, before each of which `progress` is told the share, then a new calibration; returns the
        mean loss.
        """
        total = torch.zeros((), device=self.level.device)
        for step in range(steps):
            progress(step / steps)
            total += self._descend()
        self._calibrate()
        self.version += 1
        return float(total / max(1, steps))

    def step(self) -> dict[str, Tensor]:
        """As `fit(1)`, but all of it on the device; whoever calls counts the version."""
        loss = self._descend()
        self._calibrate()
        return {"classifier_loss": loss}

    def _descend(self) -> Tensor:
        n = self.discriminator.config.batch
        self.discriminator.train()
        loss = self.discriminator.bce_loss(self.positives.sample(n), self._negatives(n))
        descend(self.optimiser, loss)
        self.discriminator.eval()
        return loss.detach()

    @torch.no_grad()
    def _calibrate(self) -> None:
        self.level.copy_(torch.sigmoid(self.discriminator(self._heldout)).mean().clamp(min=0.05))

    @torch.no_grad()
    def probability(self, features: Tensor) -> Tensor:
        """Calibrated goal probability, (N, F) -> (N,) in [0, 1]."""
        return (torch.sigmoid(self.discriminator(features)) / self.level).clamp(max=1.0)

    def reward(self, batch: Batch) -> Tensor:
        """D / E_heldout[D] of the state that the action led to, (N,). Not clipped at 1 as the probability is: half of all success
        examples lie above, and among them the reward still says which are deeper inside the goal set. Where all of the goal set is
        alike, what it says there is noise that a policy follows away from what was shown: then take the probability.
        """
        with torch.no_grad():
            return torch.sigmoid(self.discriminator(batch.next_features)) / self.level

    def shaped_reward(self, batch: Batch) -> Tensor:
        """Standardised logit of the state that the action led to, (N,): r = (z - mean z) / std z over the batch.

        Far from the goal, where D is next to 0 everywhere, z = log D / (1 - D) still says what is nearer (VICE-RAQ's reward:
        Singh et al. 2019), so that a policy can find the goal that nobody showed it the way to.
        """
        with torch.no_grad():
            logit = self.discriminator(batch.next_features)
            return (logit - logit.mean()) / logit.std().clamp(min=1e-3)

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint holds beside the network: calibration and success examples."""
        return {"level": self.level, "positives": self.positives.fixed, "more_positives": self.positives.added,
                "heldout": self._heldout}

    def to_bytes(self, encoder: Encoder, description: Mapping[str, Any]) -> bytes:
        """The deployable classifier, with the encoder it looks through."""
        return classifier_to_bytes(encoder, self.discriminator, self.level, {**description, "version": self.version})


def classifier_to_bytes(
    encoder: Encoder, discriminator: Discriminator, level: Tensor, description: Mapping[str, Any]
) -> bytes:
    """What `DeployedClassifier` reads: D / `level` of the features. `description` holds `version` and `cameras`."""
    tensors = {**named("encoder", encoder), **named("discriminator", discriminator), "level": level}
    return to_bytes(tensors, kind="classifier", description={**description, "discriminator": to_mapping(discriminator.config)})


class DeployedClassifier:
    """A goal classifier from its bytes: camera images in, probability out.

    Args:
        data: what `classifier_to_bytes` gave.

    Raises:
        DataError: other or damaged bytes.
    """

    def __init__(self, data: bytes) -> None:
        tensors, self.description = from_bytes(data, kind="classifier")
        self.threshold = THRESHOLD
        with reading("classifier"):
            self.version: int = self.description["version"]
            self.cameras = {name: (int(h), int(w)) for name, (h, w) in self.description["cameras"].items()}
            self._encoder = stored_encoder(self.cameras, tensors, "encoder")
            config = from_mapping(DiscriminatorConfig, self.description["discriminator"])
            self._discriminator = Discriminator(config, self._encoder.features)
            load_into(self._discriminator, tensors, "discriminator")
            self._level = tensors["level"]
        self._discriminator.eval()

    @torch.no_grad()
    def probability(self, images: Mapping[str, NDArray[np.uint8]]) -> float:
        """Calibrated goal probability in [0, 1] of one set of camera images, camera name -> uint8 (H, W, 3).

        Raises:
            DataError: a camera is missing or has another image size than this classifier was trained with.
        """
        for camera, (height, width) in self.cameras.items():
            shape = images[camera].shape if camera in images else None
            if shape != (height, width, 3):
                found = "is missing" if shape is None else f"is {shape[1]}x{shape[0]}"
                raise DataError(f"Camera '{camera}' {found}.", valid=f"This classifier was trained at {width}x{height}.",
                                next_step="Set the camera's size in the robot's file, or train for this one.")
        logit = self._discriminator(self._encoder(to_tensors({camera: images[camera] for camera in self.cameras})))
        return float((torch.sigmoid(logit) / self._level).clamp(max=1.0))
