"""What is asked about recorded bags, without a robot: a reward is fitted to the ledger again and again, and chooses the questions.

All of it is in one thread of low priority: neither the window nor whoever stores answers waits for it. No Qt.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path

import numpy as np
import torch

from rewardbot.data.library import Library
from rewardbot.data.replay import Batch
from rewardbot.errors import DataError, RewardbotError
from rewardbot.feedback.asking import ASKED, AskingConfig, draw_clips
from rewardbot.feedback.feedback import Kind, Query, Ranking
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.messages import Question
from rewardbot.feedback.records import History
from rewardbot.feedback.schedule import Schedule
from rewardbot.feedback.teachers.recorded import Human
from rewardbot.gui.preference_options import LabelOptions
from rewardbot.nets.encoders import Encoder, to_tensors
from rewardbot.rewards.base import Context
from rewardbot.rewards.deployed_preference import reward_to_bytes
from rewardbot.rewards.preference import PreferenceConfig, PreferenceReward
from rewardbot.training.clips import BagClips
from rewardbot.training.questioner import Questioner
from rewardbot.training.weighting import fit_weighted, learned_from
from rewardbot.types import Episode, Segment

WAITING = 6
"""Questions that wait: so many that a fit is over before they are answered."""

REFIT = 3
"""New answers after which the reward is fitted again."""

BY_CHANCE: dict[Kind, str] = {"mark": "m", "interval": "i"}
"""Kinds of questions that no reward chooses, and how their ids begin."""

AGAIN = "again-"
"""How the id of a question begins that was asked before."""

PAUSE_S = 0.3


class Ended(Exception):
    """The window is closed; a fit need not go on."""


class Asker:
    """Asks in its thread until it is closed. See the module.

    Args:
        ledger: file of the ledger.
        library: episodes that are there.
        options: what is asked.
        annotator: who answers.

    Attributes:
        open: what waits, with the reward of each step where it is known.
        version, accuracy: of the reward, on what it learned from; 0 and None before the first fit.
        trouble: what is the matter, empty if nothing.
    """

    def __init__(self, ledger: Path, library: Library, options: LabelOptions, annotator: str) -> None:
        self._library, self._options, self._annotator = library, options, annotator
        self._ledger = Ledger(ledger)
        self.open: tuple[Question, ...] = ()
        self.version, self.trouble = 0, ""
        self.accuracy: float | None = None
        self._clips: BagClips | None = None
        self._changed, self._ended = threading.Event(), False
        self._thread = threading.Thread(target=self._run, name="asker", daemon=True)
        self._thread.start()

    def answered(self) -> None:
        """Something was answered: there may be room for a question."""
        self._changed.set()

    def close(self) -> None:
        """Ends the thread, within a step of a fit."""
        self._ended = True
        self._changed.set()
        self._thread.join()
        self._ledger.close()

    # In the thread -------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
        torch.set_num_threads(1)
        questioner = self._questioner()
        fitted = 0
        with contextlib.suppress(Ended):
            while not self._ended:
                self._changed.clear()
                try:
                    history = self._ledger.history()
                    questioner.look(progress=1.0, ask=any(kind in ASKED for kind in self._options.kinds))
                    self._ask_by_chance(history)
                    self._repeat(history)
                    questioner.desk.refresh()
                    self.open = questioner.desk.questions().open
                    self.trouble = questioner.trouble
                    if abs(len(learned_from(history)) - fitted) >= REFIT:
                        fitted = len(learned_from(history))
                        self._fit(questioner, history)
                except RewardbotError as error:
                    self.trouble = str(error)
                self._changed.wait(PAUSE_S)

    def _questioner(self) -> Questioner:
        options = self._options
        kinds: tuple[Kind, ...] = tuple(kind for kind in options.kinds if kind in ASKED) or ("pair",)
        config = AskingConfig(
            options.strategy if len(kinds) == 1 else "mutual_information", kinds=kinds, steps=options.steps, ranked=options.ranked,
            schedule=Schedule(budget=options.budget, first=options.budget, waiting=WAITING))
        return Questioner(self._library, self._ledger, Human(self._ledger), config, seed=options.seed, stale_after=10**9,
                          say=lambda text: None)

    def _fit(self, questioner: Questioner, history: History) -> None:
        """Learns from what counts, looking at pictures through an encoder of random weights."""
        contract = self._library.contract
        assert contract is not None
        cameras = {name: (camera.height, camera.width) for name, camera in contract.cameras.items()}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._options.seed)
            encoder = Encoder(cameras, channels=8).eval()
        self._clips = self._clips or BagClips(self._library, lambda episode: _embed(encoder, episode))
        clips = self._clips

        def transitions(segment: Segment) -> Batch:
            if self._ended:
                raise Ended
            return clips.transitions(segment)

        reward = PreferenceReward(PreferenceConfig(steps=200), encoder.features + 4 + contract.action_dim, seed=self._options.seed)
        reward.version = self.version
        try:
            metrics, _ = fit_weighted(reward, history, Context(transitions))
        except DataError as error:  # such as answers that prefer nothing to anything
            self.trouble = str(error)
            return
        self.version, self.accuracy = reward.version, metrics["accuracy"]
        questioner.take_reward(reward_to_bytes(reward, encoder, {"cameras": cameras, "answers": len(learned_from(history))}))

    def _ask_by_chance(self, history: History) -> None:
        episodes = [Segment(id, 0, self._library.steps(id)) for id in self._library.ids]
        waiting = history.waiting(self._annotator)
        alone = not any(kind in ASKED for kind in self._options.kinds)
        kinds: list[Kind] = [kind for kind in self._options.kinds if kind in BY_CHANCE and episodes]
        for kind in kinds:
            room = min((WAITING if alone else 1) - sum(query.kind == kind for query in waiting),
                       self._options.budget - len(history.active()) - len(waiting))
            rng = np.random.default_rng([self._options.seed, len(history.queries)])
            asked = {query.options for query in history.queries.values() if query.kind == kind}
            clips = [clip for clip in draw_clips(episodes, self._options.steps, 20, rng) if (clip,) not in asked]
            self._ledger.ask(*(
                Query(f"{BY_CHANCE[kind]}{len(history.queries) + number}", kind, (clip,), (0,), asked=time.time(),
                      strategy="uniform", reason="drawn by chance") for number, clip in enumerate(clips[: max(0, room)], 1)))

    def _repeat(self, history: History) -> None:
        query = repeat(history, self._annotator, self._options.repeats, self._options.seed)
        if query is not None and len(history.active()) < self._options.budget:
            self._ledger.ask(query)


def repeat(history: History, annotator: str, every: int, seed: int) -> Query | None:
    """A pair that `annotator` has answered, to be asked again with its sides swapped: one for `every` answers, not of the newest.

    Returns:
        The question; None if it is not time for one. `every` 0: it never is.
    """
    given = [one.given.query for one in history.active().values() if isinstance(one, Ranking) and one.given.annotator == annotator]
    pairs = [history.queries[id] for id in given if id in history.queries and history.queries[id].kind == "pair"]
    planted = sum(id.startswith(AGAIN) for id in history.queries)
    if not every or len(pairs) < every * (planted + 1):
        return None
    first = [query for query in pairs[: len(pairs) - every // 2]
             if not query.id.startswith(AGAIN) and f"{AGAIN}{query.id}" not in history.queries]
    if not first:
        return None
    query = first[int(np.random.default_rng([seed, len(pairs)]).integers(len(first)))]
    return Query(f"{AGAIN}{query.id}", "pair", query.options, query.order[::-1], asked=time.time(), strategy="repeat",
                 reason="asked before, to see how consistent answers are")


@torch.no_grad()
def _embed(encoder: Encoder, episode: Episode) -> torch.Tensor:
    return encoder(to_tensors({name: episode.images[name] for name in encoder.names}))
