"""`rewardbot train --env NAME --policy bc --demos FILE`: behaviour cloning from state vectors, of all episodes or of the best."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rewardbot.config import overlaid, setting
from rewardbot.data.state_demonstrations import StateDemonstrations
from rewardbot.policies.bc import BCConfig, StateCloning
from rewardbot.policies.filtered_bc import top_share
from rewardbot.policies.sac import StateActor
from rewardbot.training.settled import clone
from rewardbot.training.shown import read_shown
from rewardbot.training.state_job import Report, Trained
from rewardbot.training.state_loop import Env
from rewardbot.training.state_options import StateOptions


@dataclasses.dataclass(frozen=True)
class CloningConfig:
    """How it is cloned."""

    bc: BCConfig = setting(BCConfig(steps=2000, dropout=0.0, proprio_noise=0.0), "of behaviour cloning")
    share: float = setting(0.5, "filtered_bc: share of all steps, those of the best episodes by their true return", min=0.01, max=1.0)


def resolve(options: StateOptions, settings: Mapping[str, Any]) -> CloningConfig:
    """See `state_job.Job`. The steps of the command line are those of gradients."""
    config = overlaid(CloningConfig(), settings, where=options.file)
    return dataclasses.replace(config, bc=dataclasses.replace(config.bc, steps=options.steps))


def train(options: StateOptions, config: CloningConfig, env: Env, judge: Env, folder: Path, report: Report) -> Trained:
    """See `state_job.Job`. A run that was stopped begins anew."""
    shown = read_shown(options.demos, env, seed=options.seed)
    weights = _weights(shown, config.share) if options.policy == "filtered_bc" else None
    return Trained(Cloned(clone(shown, config.bc, options.seed, weights)), options.steps)


def _weights(shown: StateDemonstrations, share: float) -> Tensor:
    """Of each step, (N,)."""
    lengths = [len(episode.actions) for episode in shown.episodes]
    return top_share(torch.from_numpy(np.repeat(np.array(shown.returns, np.float32), lengths)), share)


class Cloned:
    """A clone in the shape of the other policies of state vectors: its standardisation as part of the first layer, and no spread."""

    def __init__(self, cloning: StateCloning) -> None:
        self.config = cloning.config
        layers = [layer for layer in cloning.body if isinstance(layer, nn.Linear)]
        states, actions = layers[0].in_features, layers[-1].out_features
        self.actor = StateActor(states, actions, self.config.hidden)
        own = [layer for layer in self.actor.body if isinstance(layer, nn.Linear)]
        with torch.no_grad():
            for ours, theirs in zip(own, layers, strict=True):
                ours.weight[: theirs.out_features] = theirs.weight
                ours.bias[: theirs.out_features] = theirs.bias
            own[0].weight.div_(cloning.get_buffer("std"))
            own[0].bias.sub_(own[0].weight @ cloning.get_buffer("mean"))
