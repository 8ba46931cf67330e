"""Pretraining where nothing was shown but pictures of the goal: what there is to see is learned from play.

Where play shows one thing that moves by itself, and the pictures of the goal show it at one place, it is learned to bring it there,
see `seeing.py` and `policies/placing.py`. Otherwise, as in reaching for something that lies anywhere, the goal is no place: an
autoencoder learns to see, and the goal classifier is the reward.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from rewardbot.data.episodes import write_episode
from rewardbot.data.pool import evened
from rewardbot.data.success_images import Images
from rewardbot.errors import DataError
from rewardbot.nets import parallel
from rewardbot.nets.autoencoder import Autoencoder
from rewardbot.nets.encoders import to_tensors
from rewardbot.nets.places import PlaceEncoder
from rewardbot.policies.placing import Placing
from rewardbot.rewards.vice import MINIMUM
from rewardbot.training.seeing import learn_to_see
from rewardbot.types import Episode, Metrics

if TYPE_CHECKING:
    from rewardbot.training.learner import Learner, Progress

ONE_PLACE = 0.35
"""As a share of the spread of places in play: the spread in pictures of the goal up to which they show one place."""

_log = logging.getLogger(__name__)


@dataclass
class Aimed:
    """What all is learned from again when the first episodes have gone across the thing: by then there are far more pictures of it
    pushed, and half hidden, than random play has.

    Attributes:
        success, play, others: what was learned from at first.
        episodes: those until now.
        folder: where they are kept for a learner that is started again; None: nowhere.
    """

    success: Images
    play: Sequence[Episode]
    others: Images
    episodes: list[Episode] = field(default_factory=list)
    folder: Path | None = None

    def add(self, learner: Learner, episode: Episode) -> None:
        """Takes one of these episodes, and with the last of them pretrains `learner` again."""
        self.episodes.append(episode)
        if self.folder is not None:
            try:
                write_episode(self.folder, episode, learner.contract)
            except DataError as error:
                _log.warning("%s Learning goes on; a learner that is started again will do without.", error.what)
        if learner.episodes >= learner.config.placing.aimed:
            learner.lineage = secrets.token_hex(4)
            learner.aimed, learner.played_steps = None, learner.env_steps
            pretrain(learner, self.success, [*self.play, *self.episodes], lambda stage, share: None, others=self.others, aimed=True)


def pretrain(
    learner: Learner, success: Images, play: Sequence[Episode], progress: Progress, *, others: Images | None = None,
    aimed: bool = False,
) -> Metrics:
    """The encoder, the first classifier and the reinforcement learner's start, without any demonstration.

    Args:
        learner: a new one.
        success: success images, camera name -> uint8 (N, H, W, 3).
        play: episodes of random motion; their states are the first negatives, and they stay half of each batch.
        progress: told of each stage.
        others: pictures without the goal, further negatives, camera name -> uint8 (N, H, W, 3).
        aimed: whether some of the play was aimed at the thing already.

    Raises:
        DataError: hardly any play, or images of other sizes.
    """
    if sum(map(len, play)) < MINIMUM:
        raise DataError(f"{sum(map(len, play))} steps of play are too few to learn to see from.", valid=f"At least {MINIMUM}.")
    for episode in play:
        learner.check_cameras(episode)
    metrics: Metrics = {}
    progress("encoder", 0.0)
    places = eyes_for(learner, success, play) if learner.config.places else None
    if places is None:
        metrics["autoencoder_loss"] = _learn_features(learner, success, play, progress, others or {})
    proprio = torch.from_numpy(np.concatenate([episode.proprio for episode in play])).to(learner.device)
    learner.cloning.policy.set_scale(proprio)
    learner.cloning.eval()
    parallel.share(learner.cloning)
    learner.see_through(learner.cloning.frozen_encoder() if places is None else places.to(learner.device))
    played = learner.add_prior(play, progress)
    shown = learner.embed_images(success)
    shown = shown[torch.randperm(len(shown), generator=learner.generator, device=learner.device)]
    heldout = min(len(shown) - 1, max(1, round(learner.config.classifier.heldout * len(shown))))
    learner.classifier = learner.make_classifier(
        shown[heldout:], shown[:heldout], evened(torch.cat(played), learner.embed_images(others or {})))
    learner.begin(metrics, progress)
    if isinstance(learner.agent, Placing):
        learner.agent.begin(shown, proprio)
        if learner.config.placing.aimed and not aimed:
            learner.aimed = Aimed(success, play, others or {})
        else:
            trails = learner.agent.trails(learner.demonstrations, learner.visited)
            learner.agent.count()
            metrics["motion_loss"] = learner.agent.fit(trails, lambda share: progress("motion", share))
        learner.best.load_state_dict(learner.agent.average.state_dict())
    progress("goal classifier", 1.0)
    return metrics


def eyes_for(learner: Learner, success: Images, play: Sequence[Episode]) -> PlaceEncoder | None:
    """An encoder that sees places, if the goal is one."""
    encoder = learn_to_see(play, sorted(learner.cameras), learner.seed)
    if encoder is None:
        return None
    with torch.no_grad():
        shown = encoder(to_tensors({name: success[name] for name in encoder.names}))
        played = torch.cat([encoder(to_tensors({name: episode.images[name] for name in encoder.names})) for episode in play])
    return encoder if spread(shown) < ONE_PLACE * spread(played) else None


def spread(places: Tensor) -> float:
    """How far places (N, 3) are from their middle in the median, of those that are surer than others."""
    sure = places[places[:, 2] <= places[:, 2].median(), :2]
    return float((sure - sure.median(0).values).norm(dim=1).median())


def _learn_features(learner: Learner, success: Images, play: Sequence[Episode], progress: Progress, others: Images) -> float:
    """Trains the encoder of all cameras; returns the autoencoder's loss."""
    seen = [*(episode.images for episode in play), success, *([others] if others else [])]
    images = {name: torch.cat([to_tensors({name: of[name]})[name] for of in seen]).contiguous().to(learner.device)
              for name in learner.cameras}
    autoencoder = Autoencoder(learner.config.autoencoder, learner.cloning.encoder).to(learner.device)
    return autoencoder.fit(images, lambda share: progress("encoder", share), learner.generator)
