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
from rewardbot.errors import RewardbotError
from rewardbot.feedback.asking import ASKED, AskingConfig, draw_clips
from rewardbot.feedback.feedback import Kind, Query, Ranking
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.messages import Question
from rewardbot.feedback.records import History
from rewardbot.feedback.schedule import Schedule
from rewardbot.feedback.teachers.recorded import Human
from rewardbot.gui.preference_options import LabelOptions
from rewardbot.training.choosing import Chooser
from rewardbot.training.questioner import Questioner
from rewardbot.types import Segment

WAITING = 6
"""Questions that wait: so many that a fit is over before they are answered."""

BY_CHANCE: dict[Kind, str] = {"mark": "m", "interval": "i"}
"""Kinds of questions that no reward chooses, and how their ids begin."""

AGAIN = "again-"
"""How the id of a question begins that was asked before."""

PAUSE_S = 0.3


class Asker:
    """Asks in its thread until it is closed. See the module.

    Args:
        ledger: file of the ledger.
        library: episodes that are there.
        options: what is asked.
        annotator: who answers.

    Attributes:
        open: what waits, with the reward of each step where it is known.
        version: of the reward; 0 before the first fit.
        trouble: what is the matter, empty if nothing.
    """

    def __init__(self, ledger: Path, library: Library, options: LabelOptions, annotator: str) -> None:
        self._library, self._options, self._annotator = library, options, annotator
        self._ledger = Ledger(ledger)
        self.open: tuple[Question, ...] = ()
        self.version, self.trouble = 0, ""
        self._changed, self._ended = threading.Event(), False
        self._thread = threading.Thread(target=self._run, name="asker", daemon=True)
        self._thread.start()

    def answered(self) -> None:
        """Something was answered: there may be room for a question."""
        self._changed.set()

    def close(self) -> None:
        """Ends the thread, after a fit that is under way."""
        self._ended = True
        self._changed.set()
        self._thread.join()
        self._ledger.close()

    # In the thread -------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
        torch.set_num_threads(1)
        questioner, chooser = self._questioner(), Chooser(self._ledger.path, self._library, seed=self._options.seed)
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
                if not self._ended and (reward := chooser.newer()) is not None:
                    questioner.take_reward(reward)
                    self.version = questioner.desk.version
            except RewardbotError as error:
                self.trouble = str(error)
            self._changed.wait(PAUSE_S)
        chooser.close()

    def _questioner(self) -> Questioner:
        options = self._options
        kinds: tuple[Kind, ...] = tuple(kind for kind in options.kinds if kind in ASKED) or ("pair",)
        config = AskingConfig(
            options.strategy if len(kinds) == 1 else "mutual_information", kinds=kinds, steps=options.steps, ranked=options.ranked,
            schedule=Schedule(budget=options.budget, first=options.budget, waiting=WAITING))
        return Questioner(self._library, self._ledger, Human(self._ledger), config, seed=options.seed, stale_after=10**9,
                          say=lambda text: None)

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
