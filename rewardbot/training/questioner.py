"""Asks about recorded episodes, as they come, with the newest reward: what a preference node and `rewardbot label` share.

`look` may take seconds, since it reads and judges clips: it may be called in a thread of its own. The desk is for everybody else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np
import torch

from rewardbot.data.library import Library
from rewardbot.errors import DataError
from rewardbot.feedback.annotators import Annotators, Judgement, judgements
from rewardbot.feedback.asking import Asking, AskingConfig, Judged
from rewardbot.feedback.desk import Desk
from rewardbot.feedback.feedback import Query
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.people import People, people
from rewardbot.feedback.records import LedgerError
from rewardbot.feedback.teachers.base import Teacher
from rewardbot.feedback.teachers.model import Model
from rewardbot.rewards.base import Context
from rewardbot.rewards.comparisons import inputs, pad
from rewardbot.rewards.deployed_preference import DeployedPreference
from rewardbot.training.clips import BagClips
from rewardbot.training.weighting import utility_of
from rewardbot.types import Segment


class Questioner:
    """See the module.

    Args:
        library: the episodes.
        ledger: where questions and answers are.
        teacher: who is asked.
        config: what is asked when.
        seed: of what is drawn.
        name: of this process, see `feedback.messages.Questions`.
        stale_after: see `Desk`.
        say: told what is the matter.
        desk_ledger: the same ledger, opened again, if the desk is used in another thread than `look`.
        go_on: called before each clip that is read or asked about; what it raises ends the look.

    Attributes:
        clips: what the newest reward sees of them.
        desk: what waits, for windows.
        people: who has answered, as of the last `look`; the same object until something changes.
        reward: the newest one; None before there is one.
    """

    def __init__(
        self, library: Library, ledger: Ledger, teacher: Teacher, config: AskingConfig, *, seed: int = 0, name: str = "",
        stale_after: int = 200, say: Callable[[str], object] = print, desk_ledger: Ledger | None = None,
        go_on: Callable[[], None] = lambda: None,
    ) -> None:
        self.library = library
        self.reward: DeployedPreference | None = None
        self.people, self._people_of = People(), (0, 0)
        self._ledger, self._teacher, self._go_on = ledger, teacher, go_on
        self._strips: dict[Segment, tuple[float, ...]] = {}
        self._judged: dict[Segment, tuple[float, ...]] = {}
        self._audits: list[Query] = []
        self._eye, self.clips = "", BagClips(library, _blind)
        self.library.refresh()
        self.asking = Asking(ledger, teacher, config, seed=seed, say=say)
        self.desk = Desk(desk_ledger or ledger, library.path, name=name, stale_after=stale_after,
                         rewards_of=lambda segment: self._strips.get(segment, ()))

    @property
    def trouble(self) -> str:
        """What a person should know about the teacher or the ledger; else empty."""
        return self.asking.trouble or (self._teacher.trouble if isinstance(self._teacher, Model) else "")

    def take_reward(self, data: bytes) -> None:
        """Takes a newer reward, which asks from the next `look` on; none for no bytes at all: nobody prefers anything any more.

        Raises:
            DataError: these bytes are none.
        """
        self.reward = reward = DeployedPreference(data) if data else None
        if reward is not None and reward.eye != self._eye:
            self._eye, self.clips = reward.eye, BagClips(self.library, reward.embed)
        self.desk.version = self.reward.version if self.reward is not None else 0

    def look(self, *, progress: float, minutes: float = math.inf, ask: bool = True) -> int:
        """Looks for new episodes and for answers of the teacher, and asks what is due; returns how many questions that were.

        Args:
            progress, minutes: see `feedback.schedule.due`.
            ask: False only looks.
        """
        self.library.refresh()
        self.asking.poll()
        if isinstance(self._teacher, Model):
            self._audits += self._teacher.audits()
            with suppress(LedgerError):  # which `asking` tells of; they wait
                known = self._ledger.history().queries  # an answer that was undone and given again has its audit
                self._ledger.ask(*(query for query in self._audits if query.id not in known))
                self._audits = []
        asked = self._ask(progress, minutes) if ask else 0
        self._know_people()
        return asked

    def _ask(self, progress: float, minutes: float) -> int:
        reward, library = self.reward, self.library
        episodes = [Segment(id, 0, library.steps(id)) for id in library.ids]
        judge = None if reward is None else lambda clips: self._judge(reward, clips)
        self._judged = {}
        return self.asking.ask(episodes, judge, progress=progress, minutes=minutes, version=self.desk.version, keep=self._keep)

    def close(self) -> None:
        """Lets the teacher go."""
        self.asking.close()

    def _know_people(self) -> None:
        history = self._ledger.history()
        if self._people_of == (now := (history.last, self.desk.version)):
            return
        self._people_of = now
        self.people = people(history, self._estimates(judgements(history)), self.library.path)

    def _estimates(self, given: Sequence[Judgement]) -> Annotators:
        """Of several, by what the reward holds of their clips; of one alone, or without a reward, next to nothing is known."""
        reward, clips = self.reward, self.clips
        if reward is None or len({one.annotator for one in given}) < 2:
            return Annotators(())
        gone = {clip for clip in {clip for one in given for clip in one.clips} if not self._is_there(clip, clips)}
        return Annotators([one for one in given if gone.isdisjoint(one.clips)],
                          utility_of(reward.reward, Context(clips.transitions)))

    def _is_there(self, clip: Segment, clips: BagClips) -> bool:
        self._go_on()
        try:
            clips.transitions(clip)
        except DataError:
            return False
        return True

    def _judge(self, reward: DeployedPreference, clips: Sequence[Segment]) -> Judged:
        """NaN for a clip that cannot be read."""
        seen: dict[int, torch.Tensor] = {}
        for number, clip in enumerate(clips):
            self._go_on()
            try:
                seen[number] = inputs(self.clips.transitions(clip), reward.reward.config.sees)
            except DataError as error:
                self.library.forget(clip.episode_id, error.what)
        utility = np.full((reward.reward.config.members, len(clips)), np.nan)
        features = np.full((len(clips), reward.reward.size), np.nan)
        if seen:
            utility[:, list(seen)] = reward.reward.returns(pad(list(seen.values()))).numpy()
            features[list(seen)] = torch.stack([x.mean(0) for x in seen.values()]).numpy()
            with torch.no_grad():
                rewards = {number: reward.reward.network.normalised(x).mean(0).tolist() for number, x in seen.items()}
            self._judged = {clips[number]: tuple(round(value, 3) for value in values) for number, values in rewards.items()}
        return Judged(utility, features)

    def _keep(self, clip: Segment) -> None:
        self._go_on()
        if clip in self._judged:
            self._strips[clip] = self._judged[clip]


def _blind(episode: object) -> torch.Tensor:
    raise AssertionError("nothing is looked at before there is a reward")
