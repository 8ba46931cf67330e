"""A reward from preferences in a file, made from a ledger and bags; and the episodes that it is judged by."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rewardbot.config import from_mapping
from rewardbot.data.bags import header_of, metadata
from rewardbot.data.library import Library
from rewardbot.errors import DataError
from rewardbot.feedback.feedback import Ranking
from rewardbot.feedback.records import History
from rewardbot.nets.encoders import Encoder, stored_encoder
from rewardbot.nets.weights import from_bytes, load_into, reading
from rewardbot.rewards.base import Context
from rewardbot.rewards.comparisons import clips_of, inputs
from rewardbot.rewards.deployed_preference import KIND, DeployedPreference, reward_to_bytes
from rewardbot.rewards.preference import PreferenceConfig, PreferenceReward
from rewardbot.training.clips import BagClips
from rewardbot.training.run import revision
from rewardbot.training.weighting import fit_weighted, learned_from
from rewardbot.types import Episode, Segment

BLIND = "reward"
"""Kind of a file with a reward that looks at no picture, see `PreferenceReward.to_bytes`."""

_SEEN = ("features", "next_features")


@dataclass(frozen=True)
class StoredReward:
    """What a file holds.

    Attributes:
        reward: the ensemble.
        description: what is said about it, such as `records`, the ledger's last record that it was fitted to.
        embed: an episode -> features of its observations, float32 (T + 1, F); F is 0 if it looks at no picture.
        digest: SHA-256 of the file.
    """

    reward: PreferenceReward
    description: dict[str, Any]
    embed: Callable[[Episode], Tensor]
    digest: str

    @property
    def records(self) -> int | None:
        """Id of the last record that it was fitted to; None if nobody says."""
        found = self.description.get("records", self.reward.version if self.description.get("kind") == KIND else None)
        return None if found is None else int(found)


class Episodes:
    """Whole episodes of some folders as a reward sees them.

    Args:
        places: bags, or folders of bags.
        embed: see `StoredReward`.
        warn: told of bags that cannot be used.

    Attributes:
        library: where they are.
        context: for a fit.

    Raises:
        DataError: there is none.
    """

    def __init__(self, places: Sequence[Path], embed: Callable[[Episode], Tensor], warn: Callable[[str], object] = print) -> None:
        self.library = Library(places, warn=warn)
        self.library.refresh()
        if not len(self.library):
            raise DataError(f"{', '.join(map(str, places)) or 'No folder'}: no finished episode is there.",
                            next_step="Name folders of recorded episodes with --bags DIR,...")
        self.context = Context(BagClips(self.library, embed).transitions)

    @property
    def steps(self) -> dict[str, int]:
        """Of each episode, by its id."""
        return {id: self.library.steps(id) for id in self.library.ids}

    def own(self) -> list[Segment]:
        """Whole episodes that a policy acted in, the oldest version first."""
        paths, steps = {id: self.library.path(id) for id in self.library.ids}, self.steps
        infos = {id: header_of(path, metadata(path)).info for id, path in paths.items() if path is not None}
        ids = sorted((id for id, info in infos.items() if info.source == "policy"), key=lambda id: (infos[id].policy_version, id))
        return [Segment(id, 0, steps[id]) for id in ids]

    def judge(self, reward: PreferenceReward) -> Callable[[Sequence[Segment]], NDArray[np.float64]]:
        """Clips -> their returns by each member of `reward` in log-odds, float64 (M, C)."""

        def returns(clips: Sequence[Segment]) -> NDArray[np.float64]:
            return reward.returns(clips_of(clips, self.context, reward.config.sees, reward.device)).double().cpu().numpy()

        return returns


def read_reward(path: Path) -> StoredReward:
    """The reward in a file, see `make_reward`; also what a learner publishes.

    Raises:
        DataError: it cannot be read, or is something else.
    """
    data = _bytes(path)
    digest = hashlib.sha256(data).hexdigest()
    try:
        tensors, description = from_bytes(data, kind=BLIND)
    except DataError:
        deployed = DeployedPreference(data)
        return StoredReward(deployed.reward, from_bytes(data, kind=KIND)[1], deployed.embed, digest)
    with reading(BLIND):
        shape = {field.name for field in fields(PreferenceConfig)}  # what SURF and others add is of their fits
        config = from_mapping(PreferenceConfig, {name: value for name, value in description["config"].items() if name in shape})
        reward = PreferenceReward(config, int(description["size"]), seed=int(description["seed"]))
        load_into(reward.network, tensors, "network")
        reward.version = int(description["version"])
    return StoredReward(reward, description, blind, digest)


def make_reward(
    history: History, places: Sequence[Path], config: PreferenceConfig, *, encoder: Path | None = None, seed: int = 0,
    ledger: str = "", warn: Callable[[str], object] = print,
) -> tuple[bytes, PreferenceReward]:
    """The reward that the answers stand for, as `read_reward` reads it, with where it comes from. Its version is the number of the
    ledger's last record.

    Args:
        history: what counts.
        places: bags, or folders of bags.
        config: of the reward. Without an encoder it sees no features.
        encoder: file with the encoder to look through, a classifier's or another reward's.
        seed: of the networks.
        ledger: name of the ledger.
        warn: told of bags that cannot be used.

    Raises:
        ConfigError, DataError: see `PreferenceReward.fit`; an encoder that is none; no episode.
    """
    eyes = None if encoder is None else read_encoder(encoder)
    if eyes is None:
        config = replace(config, sees=tuple(part for part in config.sees if part not in _SEEN))
    episodes = Episodes(places, blind if eyes is None else _eye(*eyes), warn)
    answers = learned_from(history)
    if not answers:
        raise DataError("There is no answer to learn from.", next_step="Answer some questions first: rewardbot label.")
    clip = first.segments[0] if isinstance(first := answers[0], Ranking) else first.segment
    reward = PreferenceReward(config, inputs(episodes.context.transitions(clip), config.sees).shape[-1], seed=seed)
    fit_weighted(reward, history, episodes.context)
    reward.version = history.last
    said = {"ledger": ledger, "records": history.last, "answers": len(answers), "task": episodes.library.task, "commit": revision()}
    if eyes is None:
        return reward.to_bytes(said), reward
    return reward_to_bytes(reward, eyes[0], {**said, "cameras": eyes[1]}), reward


def read_encoder(path: Path) -> tuple[Encoder, dict[str, tuple[int, int]]]:
    """The encoder in a classifier's or a reward's file, and its cameras, name -> (height, width).

    Raises:
        DataError: it cannot be read, or holds none.
    """
    data = _bytes(path)
    try:
        tensors, description = from_bytes(data, kind="classifier")
    except DataError:
        tensors, description = from_bytes(data, kind=KIND)
    with reading("encoder"):
        cameras = {name: (int(height), int(width)) for name, (height, width) in description["cameras"].items()}
    return stored_encoder(cameras, tensors, "encoder").eval(), cameras


def blind(episode: Episode) -> Tensor:
    """No features, float32 (T + 1, 0)."""
    return torch.zeros(len(episode) + 1, 0)


def _eye(encoder: Encoder, cameras: dict[str, tuple[int, int]]) -> Callable[[Episode], Tensor]:
    """As a reward with this encoder sees, with its checks."""
    nothing = PreferenceReward(PreferenceConfig(), 1)
    return DeployedPreference(reward_to_bytes(nothing, encoder, {"cameras": cameras, "answers": 0})).embed


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror}.", next_step="rewardbot reward fit makes one from a ledger.") from None
