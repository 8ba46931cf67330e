"""What the preference window does, without Qt: the question on the screen, what was said to it, and what became of that.

It speaks the messages of `feedback/messages.py`, with a desk in this process or on the graph, and all of it is called in one thread,
where nothing waits. An answer counts as given only when the desk has said that it is on the disk; until then no other question is
shown, and the request is sent again and again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

from rewardbot.errors import DataError
from rewardbot.feedback.feedback import (
    MAX_TEXT,
    Given,
    Query,
    Rating,
    Response,
    Skip,
    SuccessMark,
    UnsafeInterval,
    answer_pair,
    answer_ranking,
)
from rewardbot.feedback.messages import Question, Questions, Receipt, Request
from rewardbot.feedback.people import Dispute
from rewardbot.feedback.records import Undo
from rewardbot.gui.level import Level
from rewardbot.gui.metrics import Values, number
from rewardbot.gui.playback import Playback
from rewardbot.gui.preference_entry import REASONS, STOPPED, Interval, Order
from rewardbot.gui.preference_outbox import Outbox, Sent, Stored
from rewardbot.gui.preference_progress import Progress
from rewardbot.gui.robot_requests import RobotRequests
from rewardbot.gui.safety import Safety
from rewardbot.gui.silence import SILENT_S
from rewardbot.types import Segment

LOOK_S = 0.15
"""An answer that comes sooner after its clips is none [s]: nobody can have seen them. A key is being hammered."""

Phase = Literal["waiting", "loading", "asking", "storing"]
"""No question; its clips are being read; it can be answered; an answer is on its way to the disk."""


class PreferenceSession:
    """See the module.

    Args:
        annotator: who answers.
        send: puts a request to the desk; returns at once.
        stop, clear: ask the robot to stop, and to go on; None where there is no robot.
        calm: tells the desk that somebody has looked at an alarm; None where there is none.
        just_now: the steps that the robot has just gone through; None where there are none. A Stop marks them as unsafe.
        watched: who is expected to say something all the time, such as `learner`.
        clock: tells the time, one that nobody sets [s].
        wall: tells the time of day [s since 1970].

    Attributes:
        question: on the screen; None for none.
        upcoming: what probably comes next, to be made ready.
        playback: of its clips.
        chosen: place of the clip that marks are about.
        order: of a ranking that is being typed.
        interval: that is being marked.
        why: whether it is shown why this is asked.
        dispute: two clips that people disagree about, which are looked at instead of a question; None for none.
        last: the answer that was stored last.
        progress: of this sitting.
        status: what the desk told last.
        safety: what is known of it.
        robot: what was asked of it.
        outbox: what is on its way to the disk.
        said, level, count: what has happened last, how much that matters, and how many such things there were.
    """

    def __init__(
        self, annotator: str, send: Callable[[Request], None], *, stop: Callable[[], None] | None = None,
        clear: Callable[[], None] | None = None, calm: Callable[[], None] | None = None,
        just_now: Callable[[], Segment | None] = lambda: None, watched: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time,
    ) -> None:
        self.annotator, self._clock, self._wall = annotator, clock, wall
        self.outbox = Outbox(annotator, send, clock)
        self.robot = RobotRequests(stop, clear, calm, just_now, clock)
        self.safety = Safety(clock)
        self.question: Question | None = None
        self.upcoming: tuple[Question, ...] = ()
        self.playback, self.progress = Playback(), Progress()
        self.chosen, self.order, self.why = 0, Order(0), False
        self.interval: Interval | None = None
        self.dispute: Dispute | None = None
        self.last: Stored | None = None
        self.status: Values = {}
        self.said, self.count = "", 0
        self.level: Level = "plain"
        self._open: tuple[Question, ...] = ()
        self._closed: dict[str, str] = {}
        self._stored: list[Stored] = []
        self._done: set[str] = set()  # questions that are answered or cannot be shown, whatever the desk still says
        self._first = ""
        self._seen_at: float | None = None
        self._asked = 0.0
        self._ready = False
        self._heard = dict.fromkeys(watched, clock())
        self._beat_at = clock()

    # What there is ---------------------------------------------------------------------------------------------------------

    @property
    def query(self) -> Query | None:
        """That of the question on the screen."""
        return self.question.query if self.question else None

    @property
    def phase(self) -> Phase:
        """See `Phase`."""
        if self.outbox.holds:
            return "storing"
        if self.question is None:
            return "waiting"
        return "asking" if self._ready else "loading"

    @property
    def typing(self) -> bool:
        """Whether the reason of an unsafe interval is asked for."""
        return self.interval is not None and self.interval.end is not None

    def silent(self) -> dict[str, float]:
        """Who has said nothing for too long, and for how long [s]."""
        now = self._clock()
        return {name: now - heard for name, heard in self._heard.items() if now - heard > SILENT_S}

    def left(self) -> int | None:
        """How many answers are left of the desk's budget; None without one."""
        budget, answered = number(self.status, "budget"), number(self.status, "answered")
        return None if budget is None or answered is None else max(0, round(budget - answered))

    def per_minute(self) -> float | None:
        """The pace, see `Progress`."""
        return self.progress.per_minute(self._clock())

    # From the desk and the robot ---------------------------------------------------------------------------------------------

    def questions(self, questions: Questions) -> None:
        """What waits for answers now."""
        self.heard("desk")
        self._open = questions.of(self.annotator)
        self._closed = {closed.query: f"{closed.why} by {closed.by}" if closed.by and closed.why != "withdrawn" else closed.why
                        for closed in questions.closed}
        self._done &= {one.query.id for one in self._open}
        self._settle()

    def receipt(self, receipt: Receipt) -> None:
        """What came of a request, perhaps of another window's."""
        self.heard("desk")
        before = self.outbox.trouble
        sent = self.outbox.take(receipt)
        if self.outbox.trouble not in ("", before):
            self._say(f"Not stored: {self.outbox.trouble}", "bad")
        if sent is None:
            return
        if receipt.done:
            self._acknowledged(sent, receipt.record)
        else:
            self._say(f"Refused: {receipt.said}", "bad")
            if sent.question is not None and self._closed.get(sent.question.query.id):
                self._done.add(sent.question.query.id)
        self._settle()

    def desk(self, values: Values) -> None:
        """The desk has told how things are, see `messages.STATUS`."""
        self.heard("desk")
        self.status = values

    def heard(self, who: str, *, watch: bool = False) -> None:
        """Somebody who is watched, or is from now on, has said something."""
        if watch or who in self._heard:
            self._heard[who] = self._clock()

    def told(self, text: str, level: Level) -> None:
        """Something happened that a person should know."""
        self._say(text, level)

    # From the clips ----------------------------------------------------------------------------------------------------------

    def ready(self, query: str, times: Sequence[Sequence[float]]) -> None:
        """The clips of a query can be shown; the times of the frames of each place [s from its beginning]."""
        if self.query is None or self.query.id != query or self._ready:
            return
        self._ready, self._seen_at = True, None
        mark = self.query.kind == "mark"
        self.playback.load(times, playing=not mark)
        if mark:
            self.playback.seek(self.playback.length)

    def visible(self) -> None:
        """The clips that are ready are on the screen."""
        if self._ready and self._seen_at is None:
            self._seen_at, self._asked = self._clock(), self._wall()

    def unusable(self, query: str, why: str) -> None:
        """The clips of a query cannot be shown: it is skipped, and the next one comes."""
        if self.dispute is not None and self.query is not None and self.query.id == query:
            self._say(f"These two cannot be shown: {why}", "warning")
            self.look_at(None)
            return
        found = next((one for one in self._open if one.query.id == query), None)
        if found is None or query in self._done:
            return
        self._say(f"Skipped: {why}", "warning")
        self._done.add(query)
        now = self._wall()
        self.outbox.post(Skip(Given(self.annotator, query, now, now)))
        self._settle()

    # From the person -----------------------------------------------------------------------------------------------------------

    def act(self, action: str) -> None:
        """A key or a button; `preference_keys` has the actions."""
        what, _, number = action.partition(" ")
        match what:
            case "left" | "right" | "equal" | "skip" | "rate" | "success" | "failure" | "pick" | "tie" | "back" | "give":
                self._answer(what, number)
            case "undo":
                self._undo()
            case "reason":
                self._reason(REASONS[int(number) - 1])
            case "unsafe":
                self._mark_unsafe()
            case "leave":
                self._leave()
            case "why":
                self.why = not self.why
            case "stop" | "clear" | "calm":
                self._ask(what)
            case _:
                self.playback.act(what, number)

    def choose(self, place: int) -> None:
        """Marks are about the clip at that place from now on."""
        if self.interval is None and self.query is not None and 0 <= place < len(self.query.options):
            self.chosen = place

    def look_at(self, dispute: Dispute | None) -> None:
        """Shows two clips that people disagree about; None goes back to the questions."""
        if dispute == self.dispute:
            return
        if self.phase == "storing" or self.interval is not None:
            self._say("First finish what you have begun.", "plain")
            return
        if self.dispute is None and self.query is not None:
            self._first = self.query.id
        self.dispute = dispute
        if dispute is not None:
            conflict = dispute.conflict
            id = f"conflict-{conflict.for_first[0][1]}-{conflict.for_second[0][1]}"
            self._show(Question(Query(id, "pair", conflict.clips, (0, 1)), dispute.bags))
        else:
            self._show(None)
            self._settle()

    def dragged(self, places: Sequence[int]) -> None:
        """The clips of a ranking were put into that order, best first."""
        if self.phase == "asking" and sorted(places) == list(range(len(self.query.options) if self.query else 0)):
            self.order.put(places)

    def typed(self, text: str) -> None:
        """What stands in the field for the reason now."""
        if self.interval is not None:
            self.interval = replace(self.interval, reason=text[:MAX_TEXT])

    def beat(self) -> None:
        """Time goes on; to be called for each picture."""
        now = self._clock()
        if self._ready:
            self.playback.tick(now - self._beat_at)
        self._beat_at = now
        self.robot.beat()
        self.outbox.beat()

    # Inside ------------------------------------------------------------------------------------------------------------------

    def _answer(self, what: str, number: str) -> None:
        if what == "give" and self.typing:
            self._give_interval()
            return
        if self.dispute is not None:
            self._say("These two were answered; U goes back to the questions.", "plain")
            return
        if self.phase != "asking" or self.question is None or self._seen_at is None:
            self._say({"storing": "The answer before is still being stored.", "waiting": "There is no question."}.get(
                self.phase, "The clips are not there yet."), "plain")
            return
        if self.interval is not None:
            self._say("First mark the end of the unsafe interval, or leave it out with Ctrl+B.", "warning")
            return
        if self._clock() - self._seen_at < LOOK_S:
            self._say("Too quick to have been seen: press again.", "warning")
            return
        response = self._response(self.question.query, what, number)
        if response is not None:
            self.outbox.post(response, question=self.question)

    def _response(self, query: Query, what: str, number: str) -> Response | None:
        given, clip = self._given(query), query.options[0]
        if what == "skip":
            return Skip(given)
        if query.kind == "pair" and what in ("left", "right", "equal"):
            return answer_pair(query, what, given)
        if query.kind == "rating" and what == "rate":
            return Rating(clip, int(number), given)
        if query.kind == "mark" and what in ("success", "failure"):
            return SuccessMark(clip.episode_id, clip.start + self.playback.frame(0), what == "success", given)
        if query.kind == "ranking":
            return self._ranked(query, what, number, given)
        return None

    def _ranked(self, query: Query, what: str, number: str, given: Given) -> Response | None:
        order = self.order
        if what == "pick":
            order.pick(int(number) - 1)
        elif what == "tie":
            order.tie()
        elif what == "back":
            order.back()
        elif what == "give":
            if order.complete:
                return answer_ranking(query, order.ranks(), given)
            self._say(f"Not all clips have a place yet: {len(order.picked)} of {len(query.options)}.", "warning")
        return None

    def _given(self, query: Query | None) -> Given:
        now = self._clock()
        return Given(self.annotator, query.id if query else "", self._asked, self._wall(),
                     max(0.0, now - (self._seen_at if self._seen_at is not None else now)))

    def _mark_unsafe(self) -> None:
        if self.phase != "asking" or self.query is None or self.typing:
            return
        if self.interval is None:
            self.playback.playing = False
            self.interval = Interval(self.chosen, self.playback.frame(self.chosen))
        else:
            self.playback.playing = False
            self.interval = replace(self.interval, end=self.playback.frame(self.interval.place))

    def _reason(self, reason: str) -> None:
        if self.typing:
            self.typed(reason)
            self._give_interval()

    def _give_interval(self) -> None:
        interval, question = self.interval, self.question
        if interval is None or question is None or self.phase != "asking":
            return
        query = question.query
        asked_for = query.kind == "interval" and query.id not in self._done and self._is_open(query.id)
        try:
            response = UnsafeInterval(interval.segment(query.options[query.order[interval.place]]), interval.reason.strip(),
                                      self._given(query if asked_for else None))
        except DataError as error:
            self._say(str(error).replace("\n ", ""), "warning")
            return
        self.interval = None
        self.outbox.post(response, question=question if asked_for else None)
        self._settle()

    def _leave(self) -> None:
        if self.interval is not None:
            self.interval = None
            self._settle()

    def _undo(self) -> None:
        if self.interval is not None:
            self._leave()
        elif self.dispute is not None:
            self.look_at(None)
        elif not self.outbox.empty:
            self._say("The last answer is still being stored; then it can be undone.", "plain")
        elif not self._stored:
            self._say("There is nothing of this sitting to undo. Older answers: rewardbot ledger undo.", "plain")
        else:
            stored = self._stored[-1]
            self.outbox.post(Undo(stored.record), undone=stored)

    def _ask(self, what: str) -> None:
        if not self.robot.ask(what):
            self._say("There is no robot here: these are recordings.", "plain")
        if what == "stop" and (did := self.robot.unsafe()) is not None:
            now = self._wall()
            self.outbox.post(UnsafeInterval(did, STOPPED, Given(self.annotator, "", now, now)))

    def _acknowledged(self, sent: Sent, record: int) -> None:
        if sent.undone is not None:
            undone = self._stored.pop(self._stored.index(sent.undone))
            if undone.question is not None:
                query = undone.question.query
                self.progress.remove(query, undone.response)
                self._done.discard(query.id)
                self._first = query.id
            self.last = self._stored[-1] if self._stored else None
            self._say("Undone.", "good")
            return
        response = sent.request.entry
        assert isinstance(response, Response)
        if sent.question is None and isinstance(response, Skip):
            return  # nobody said so: it could not be shown
        self._stored.append(Stored(record, sent.question, response))
        self.last = self._stored[-1]
        if sent.question is None:
            of_stop = isinstance(response, UnsafeInterval) and response.reason == STOPPED
            self._say("What the robot did before the Stop is stored as unsafe; U undoes that." if of_stop else
                      "The unsafe interval is stored.", "good")
        else:
            self._done.add(sent.question.query.id)
            self.progress.add(sent.question.query, response, self._clock())

    def _is_open(self, id: str) -> bool:
        return any(one.query.id == id for one in self._open)

    def _settle(self) -> None:
        """Which question is on the screen now, and which ones come."""
        if self.dispute is not None:
            return
        left = [one for one in self._open if one.query.id not in self._done]
        here = self.query
        if here is not None and here.id not in self._done and self.phase != "storing" and not self._is_open(here.id):
            if self.typing or self.interval is not None:
                return  # what is being marked is stored, if only without the question
            if here.id != self._first:
                self._say(f"That question was {self._closed.get(here.id, 'withdrawn')}.", "warning")
        if self.phase == "storing":
            self.upcoming = tuple(one for one in left if self.question is None or one.query.id != self.question.query.id)
            return
        first = next((one for one in left if one.query.id == self._first), None)
        wanted = first or next((one for one in left if here is not None and one.query.id == here.id), left[0] if left else None)
        self._first = "" if first else self._first
        self.upcoming = tuple(one for one in left if one is not wanted)
        if wanted is None or here is None or wanted.query.id != here.id:
            self._show(wanted)

    def _show(self, question: Question | None) -> None:
        self.question, self._ready, self._seen_at = question, False, None
        self.why, self.interval, self.chosen = False, None, 0
        self.order = Order(len(question.query.options) if question else 0)

    def _say(self, text: str, level: Level) -> None:
        self.said, self.level, self.count = text, level, self.count + 1
