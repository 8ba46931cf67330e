"""A desk in the window's own process, for recorded bags: the messages of one over ROS, and a thread that stores. No Qt."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

from rewardbot.data.library import Library
from rewardbot.errors import DataError
from rewardbot.feedback.desk import Desk
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.messages import Questions, Receipt, Request
from rewardbot.feedback.people import People
from rewardbot.gui.preference_asker import Asker
from rewardbot.gui.preference_options import LabelOptions, annotator
from rewardbot.types import Segment

LOOK_S = 0.1
"""How often it looks for new questions [s]."""

Message = Questions | Receipt | People | dict[str, float | str]
"""What a desk tells; a mapping is its state, see `messages.STATUS`."""


class LocalDesk:
    """Stores answers, and tells what waits and how things are.

    Args:
        ledger: file of the ledger; made if there is none.
        bags: a bag, or a folder of bags.
        library: its episodes.
        options: what is asked.
        tell: gets what a desk tells, in the desk's threads.

    Raises:
        LedgerError: the ledger cannot be used.
    """

    def __init__(self, ledger: Path, bags: Path, library: Library, options: LabelOptions, tell: Callable[[Message], None]) -> None:
        self._options, self._tell, self._library = options, tell, library
        self._ledger = Ledger(ledger, wait_s=1.0)
        self._asker = Asker(ledger, bags, options, annotator(options))
        self._desk = Desk(self._ledger, library.path, name="label", rewards_of=self._rewards_of, stale_after=10**9)
        self._requests: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._shown: Questions | None = None
        self._people: People | None = None
        self._thread = threading.Thread(target=self._run, name="desk", daemon=True)
        self._thread.start()

    def send(self, request: Request) -> None:
        """Takes a request; returns at once, and a receipt comes later."""
        self._requests.put(request)

    def close(self) -> None:
        """Stores what was sent, and ends."""
        self._requests.put(None)
        self._thread.join()
        self._asker.close()
        self._ledger.close()

    # In the thread -------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        looked = float("-inf")
        while True:
            try:
                request = self._requests.get(timeout=LOOK_S)
            except queue.Empty:
                pass
            else:
                if request is None:
                    return
                self._tell(self._desk.take(request))
                self._asker.answered()
            if (now := time.monotonic()) - looked >= LOOK_S or self._requests.empty():
                looked = now
                self._look()

    def _look(self) -> None:
        trouble = self._asker.trouble
        try:
            self._library.refresh()
            self._desk.refresh()
            if (questions := self._desk.questions()) is not self._shown:
                self._shown = questions
                self._tell(questions)
            if (people := self._asker.people) is not self._people:
                self._people = people
                self._tell(people)
            answered = self._ledger.history().answered()
        except DataError as error:
            self._tell({"words": "The questions cannot be read.", "trouble": str(error)})
            return
        budget, asker = self._options.budget, self._asker
        words = (f"{answered} of {budget} questions are answered." if questions.of(annotator(self._options)) and budget else
                 "The next question comes when whoever learns has one." if not budget else
                 "Enough: all that was to be asked is answered." if answered >= budget else
                 "There are too few episodes to ask about." if len(self._library) < 2 else
                 "The next question is being chosen." if len(self._library) else "")
        self._tell({"words": words, "answered": float(answered), "budget": float(budget), "trouble": trouble,
                    "reward_version": float(asker.version), "waiting": float(len(questions.open))})

    def _rewards_of(self, segment: Segment) -> tuple[float, ...]:
        for question in self._asker.open:
            for clip, rewards in zip(question.query.options, question.rewards, strict=False):
                if clip == segment:
                    return rewards
        return ()
