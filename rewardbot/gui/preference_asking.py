"""What is asked about recorded bags, without a robot: a reward is fitted to the ledger again and again, and chooses the questions.

All of it is in a process of its own, and the fit of low priority there: neither the window nor whoever stores answers waits for it.
Questions go through the ledger, what is known of them through pipes: JSON, a line each. The process ends when the window does,
however that ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rewardbot.config import from_mapping
from rewardbot.data.library import Library
from rewardbot.errors import RewardbotError
from rewardbot.feedback.asking import ASKED, AskingConfig, draw_clips
from rewardbot.feedback.feedback import Kind, Query
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.messages import people_to_text
from rewardbot.feedback.records import History
from rewardbot.feedback.schedule import Schedule
from rewardbot.feedback.teachers.recorded import Human
from rewardbot.gui.preference_options import LabelOptions
from rewardbot.training.choosing import Chooser
from rewardbot.training.questioner import Questioner
from rewardbot.types import Segment

WAITING = 10
"""Questions that wait: so many that a fit is over before they are answered."""

BY_CHANCE: dict[Kind, str] = {"mark": "m", "interval": "i"}
"""Kinds of questions that no reward chooses, and how their ids begin."""

PAUSE_S = 0.5


class Asking:
    """What the process does.

    Args:
        ledger, bags, options, annotator: see `Asker`.
    """

    def __init__(self, ledger: Path, bags: Path, options: LabelOptions, annotator: str) -> None:
        self._options, self._annotator = options, annotator
        self._ledger = Ledger(ledger)
        self._library = Library([bags], warn=lambda text: None)
        kinds: tuple[Kind, ...] = tuple(kind for kind in options.kinds if kind in ASKED) or ("pair",)
        config = AskingConfig(
            options.strategy if len(kinds) == 1 else "mutual_information", options.spread, kinds=kinds, steps=options.steps,
            ranked=options.ranked, checks=0.0, repeats=options.repeats, second=options.second,
            schedule=Schedule(budget=options.budget, first=options.budget, waiting=WAITING))
        self._questioner = Questioner(self._library, self._ledger, Human(self._ledger), config, seed=options.seed,
                                      stale_after=10**9, say=lambda text: None)
        self._chooser = Chooser(ledger, self._library, seed=options.seed)
        self._fitting = ThreadPoolExecutor(1, "fit", initializer=_be_patient)
        self._reward: Future[bytes | None] | None = None

    def look(self) -> dict[str, Any]:
        """Asks what is due; returns what the window should know."""
        trouble, questioner = "", self._questioner
        try:
            self._fit()
            history = self._ledger.history()
            questioner.look(progress=1.0, ask=any(kind in ASKED for kind in self._options.kinds))
            self._ask_by_chance(history)
            questioner.desk.refresh()
            trouble = questioner.trouble
        except RewardbotError as error:
            trouble = str(error)
        return {"questions": questioner.desk.questions().to_text(), "version": questioner.desk.version, "trouble": trouble,
                "people": people_to_text(questioner.people)}

    def _fit(self) -> None:
        """Takes the reward that was fitted beside all else, and begins with the next one."""
        if not self._options.budget:
            return
        if self._reward is not None and not self._reward.done():
            return
        if self._reward is not None and (reward := self._reward.result()) is not None:
            self._questioner.take_reward(reward)
        self._reward = self._fitting.submit(self._chooser.newer)

    def _ask_by_chance(self, history: History) -> None:
        episodes = [Segment(id, 0, self._library.steps(id)) for id in self._library.ids]
        waiting = history.waiting(self._annotator)
        alone = not any(kind in ASKED for kind in self._options.kinds)
        kinds: list[Kind] = [kind for kind in self._options.kinds if kind in BY_CHANCE and episodes]
        for kind in kinds:
            room = min((WAITING if alone else 1) - sum(query.kind == kind for query in waiting),
                       self._options.budget - history.answered() - len(waiting))
            rng = np.random.default_rng([self._options.seed, len(history.queries)])
            asked = {query.options for query in history.queries.values() if query.kind == kind}
            clips = [clip for clip in draw_clips(episodes, self._options.steps, 20, rng) if (clip,) not in asked]
            self._ledger.ask(*(
                Query(f"{BY_CHANCE[kind]}{len(history.queries) + number}", kind, (clip,), (0,), asked=time.time(),
                      strategy="uniform", reason="drawn by chance") for number, clip in enumerate(clips[: max(0, room)], 1)))


def main() -> None:
    """The process: first a line that says what to do, then one for each answer, until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the window ends it
    torch.set_num_threads(1)
    told = json.loads(sys.stdin.readline())
    asking = Asking(Path(told["ledger"]), Path(told["bags"]), from_mapping(LabelOptions, told["options"]), told["annotator"])
    words, last = queue.SimpleQueue[str](), ""
    threading.Thread(target=_listen, args=(words,), daemon=True).start()
    word = "\n"
    while word:
        if (found := json.dumps(asking.look())) != last:
            last = found
            print(found, flush=True)
        try:
            word = words.get(timeout=PAUSE_S)
            while word and not words.empty():
                word = words.get()
        except queue.Empty:
            pass
    sys.stdout.flush()
    os._exit(0)  # a fit that is under way is of no use any more; the ledger is whole after every statement


def _be_patient() -> None:
    """Questions of the reward before are better than none until the next one is fitted."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


def _listen(words: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        words.put(line)
    words.put("")


if __name__ == "__main__":
    main()
