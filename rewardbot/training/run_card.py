"""What a run from state vectors leaves of its reward from preferences: the reward as a file, and its card."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rewardbot.errors import DataError
from rewardbot.rewards.base import Context
from rewardbot.rewards.mrn import MetaRewardNet
from rewardbot.rewards.surf import Surf
from rewardbot.training import stopping
from rewardbot.training.files import write_atomic
from rewardbot.training.preferences import LEDGER, PreferenceLoop
from rewardbot.training.reward_card import make_card, write_card
from rewardbot.training.reward_file import StoredReward, blind
from rewardbot.training.run import revision
from rewardbot.types import Segment

REWARD, CARD = "reward.safetensors", "card"
"""The file, as `reward_file.read_reward` reads it, and the folder of the card."""

_ALSO = {Surf: "clips that nobody was asked about", MetaRewardNet: "the critic"}
"""What else than the ledger a reward depends on."""

EPISODES = 50
"""Newest ones that the card judges."""


@dataclass(frozen=True)
class RunEpisodes:
    """The newest episodes of a run, for `make_card`.

    Attributes:
        segments: whole ones, the oldest first.
        context: see `PreferenceLoop.context`.
    """

    segments: Sequence[Segment]
    context: Context

    @property
    def steps(self) -> Mapping[str, int]:
        """Of each, by its id."""
        return {segment.episode_id: segment.stop for segment in self.segments}

    def own(self) -> list[Segment]:
        """All: the policy acted in them."""
        return list(self.segments)


def leave(learning: PreferenceLoop, folder: Path, task: str) -> None:
    """Writes both into the folder of a run; nothing if there is no reward. Fits it some seven times.

    Args:
        learning: which has learned.
        folder: of the run.
        task: name of the environment.

    Raises:
        DataError: the card cannot be made, as with all clips called equal; the reward is there.
        StorageError: they cannot be written.
    """
    model = learning.model
    if not learning.fitted:
        return
    said = {"ledger": LEDGER, "records": learning.fitted_to, "answers": int(learning.fitted["answers"]), "task": task,
            "commit": revision(), "also": next((also for kind, also in _ALSO.items() if isinstance(model, kind)), "")}
    data = model.to_bytes(said)
    write_atomic(folder / REWARD, data)
    whole = [segment for segment in learning.loop.replay.episodes() if not segment.start][-EPISODES:]
    if not whole:
        raise DataError("There is no whole episode to judge.")
    stored = StoredReward(model, said, blind, hashlib.sha256(data).hexdigest())
    card = make_card(stored, learning.ledger.records(), RunEpisodes(whole, learning.context()), progress=stopping.check)
    write_card(folder / CARD, card)
