"""What is asked about recorded bags without a graph: questions, kinds that no reward chooses, a reward that is fitted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rewardbot.data.episodes import write_episode
from rewardbot.data.library import Library
from rewardbot.feedback.feedback import Given, Query, Ranking, answer_pair
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.messages import Questions, Receipt, Request
from rewardbot.gui.preference_asking import WAITING
from rewardbot.gui.preference_desk import LocalDesk, Message
from rewardbot.gui.preference_options import LabelOptions
from rewardbot.types import Segment
from tests.gui.bags import CONTRACT, episode, make_bags


class Told:
    """A desk on small bags, and what it tells."""

    def __init__(self, folder: Path, options: LabelOptions) -> None:
        make_bags(folder / "bags", 4)
        library = Library([folder / "bags"])
        library.refresh()
        self.messages: list[Message] = []
        self.desk = LocalDesk(folder / "ledger.db", folder / "bags", library, options, self.messages.append)

    def until(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60.0
        while not true():
            assert time.monotonic() < deadline, self.messages[-3:]
            time.sleep(0.01)

    @property
    def open(self) -> dict[str, Query]:
        found = next((one for one in reversed(self.messages) if isinstance(one, Questions)), None)
        return {one.query.id: one.query for one in found.open} if found else {}

    @property
    def status(self) -> dict[str, float | str]:
        return next((one for one in reversed(self.messages) if isinstance(one, dict)), {})

    def answer(self, query: Query, side: str) -> Receipt:
        request = Request(f"r-{query.id}", "ann", answer_pair(query, side, Given("ann", query.id, 1.0, 2.0, 1.0)))  # type: ignore[arg-type]
        self.desk.send(request)
        self.until(lambda: any(isinstance(one, Receipt) and one.request == request.id for one in self.messages))
        return next(one for one in self.messages if isinstance(one, Receipt) and one.request == request.id)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[LabelOptions], Told]]:
    started: list[Told] = []

    def begin(options: LabelOptions) -> Told:
        started.append(Told(tmp_path, options))
        return started[-1]

    yield begin
    for told in started:
        told.desk.close()


def test_answers_make_a_reward_that_asks_and_the_budget_ends_it(start: Callable[[LabelOptions], Told]) -> None:
    told = start(LabelOptions(annotator="ann", steps=5, budget=12, repeats=0))
    done: set[str] = set()
    while len(done) < 12:
        told.until(lambda: bool(told.open.keys() - done))
        query = next(query for id, query in told.open.items() if id not in done)
        brighter = max(range(2), key=lambda place: query.options[query.order[place]].episode_id)
        assert told.answer(query, ("left", "right")[brighter]).done
        done.add(query.id)
        assert len(told.open) <= WAITING
    told.until(lambda: "Enough" in str(told.status["words"]))
    told.until(lambda: float(told.status["reward_version"]) > 0)  # the number of the last record that it knows


def test_marks_and_intervals_are_drawn_by_chance(start: Callable[[LabelOptions], Told]) -> None:
    told = start(LabelOptions(annotator="ann", kinds=("mark", "interval"), steps=5))
    told.until(lambda: len(told.open) == 2 * WAITING)
    assert {query.kind for query in told.open.values()} == {"mark", "interval"}
    assert len({query.options for query in told.open.values() if query.kind == "mark"}) == WAITING


def test_without_a_budget_only_what_others_ask_is_answered(start: Callable[[LabelOptions], Told], tmp_path: Path) -> None:
    """About an episode that is newer than the window, too."""
    told = start(LabelOptions(annotator="ann", steps=5, budget=0))
    told.until(lambda: "whoever learns" in str(told.status.get("words")))
    newer = write_episode(tmp_path / "bags", episode("e9"), CONTRACT)
    with Ledger(tmp_path / "ledger.db") as ledger:
        ledger.ask(Query("q1", "pair", (Segment("e0", 0, 5), Segment(newer.name, 2, 7)), (0, 1)))
        told.until(lambda: "q1" in told.open)
        assert told.answer(told.open["q1"], "right").done
        assert [answer.ranks for answer in ledger.active().values() if isinstance(answer, Ranking)] == [(1, 0)]
        assert list(ledger.history().queries) == ["q1"]
