"""The ledger against a plain model of it; two writers, full and read-only disks, files that are not ours. Kills: see
tests/bench/test_ledger.py."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from rewardbot.errors import DataError
from rewardbot.feedback.feedback import (
    Feedback,
    Given,
    Query,
    Ranking,
    Rating,
    Response,
    Skip,
    SuccessMark,
    answer_pair,
)
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.records import LedgerError
from rewardbot.types import Segment
from tests.full_disk import full_disk

A, B, C = (Segment(name, 0, 10) for name in "abc")
PEOPLE = ("anna", "ben")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with Ledger(path, wait_s=0.2) as found:
        yield found


def pair(id: str = "q") -> Query:
    return Query(id, "pair", (A, B), (1, 0), 5.0)


def said(side: str, annotator: str = "anna", query: str = "q") -> Ranking | Skip:
    return answer_pair(pair(query), side, Given(annotator, query, 6.0, 7.0, 1.0))  # type: ignore[arg-type]


class AgainstAModel(RuleBasedStateMachine):
    """Any sequence of what may be done, by two objects on one file, gives what a list and a dict say."""

    answers = Bundle("answers")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.ledgers = [Ledger(self.folder / "l.db"), Ledger(self.folder / "l.db")]
        self.queries: list[str] = []
        self.model: dict[int, Response] = {}
        self.written = 0

    def teardown(self) -> None:
        for ledger in self.ledgers:
            ledger.close()
        shutil.rmtree(self.folder)

    @rule(who=st.integers(0, 1), count=st.integers(1, 3))
    def ask(self, who: int, count: int) -> None:
        new = [f"q{len(self.queries) + number}" for number in range(count)]
        self.ledgers[who].ask(*map(pair, new))
        self.queries += new
        self.written += count

    @rule(target=answers, who=st.integers(0, 1), data=st.data(), annotator=st.sampled_from(PEOPLE),
          side=st.sampled_from(("left", "right", "equal", "skip")))
    def answer(self, who: int, data: st.DataObject, annotator: str, side: str) -> object:
        if not self.queries:
            return multiple()
        query = data.draw(st.sampled_from(self.queries))
        response = said(side, annotator, query)
        if any((r.given.query, r.given.annotator) == (query, annotator) for r in self.model.values()):
            with pytest.raises(LedgerError, match="already"):
                self.ledgers[who].answer(response)
            return multiple()
        self.written += 1
        assert self.ledgers[who].answer(response) == self.written
        self.model[self.written] = response
        return self.written

    @rule(target=answers, who=st.integers(0, 1), step=st.integers(0, 99), annotator=st.sampled_from(PEOPLE))
    def mark_unasked(self, who: int, step: int, annotator: str) -> int:
        mark = SuccessMark("a", step, True, Given(annotator))
        self.written += 1
        assert self.ledgers[who].answer(mark) == self.written
        self.model[self.written] = mark
        return self.written

    @rule(who=st.integers(0, 1), id=consumes(answers), annotator=st.sampled_from(PEOPLE))
    def undo(self, who: int, id: int, annotator: str) -> None:
        if id in self.model:
            self.ledgers[who].undo(id, annotator)
            self.written += 1
            del self.model[id]
        else:
            with pytest.raises(LedgerError, match=f"no answer {id} that counts"):
                self.ledgers[who].undo(id, annotator)

    @rule(who=st.integers(0, 1), id=answers, side=st.sampled_from(("left", "right", "equal", "skip")))
    def amend(self, who: int, id: int, side: str) -> None:
        before = self.model.get(id)
        if before is None or not before.given.query:
            return
        after = said(side, before.given.annotator, before.given.query)
        self.ledgers[who].amend(id, after)
        self.written += 1
        self.model[id] = after

    @rule(who=st.integers(0, 1), annotator=st.sampled_from(PEOPLE))
    def withdraw(self, who: int, annotator: str) -> None:
        gone = [id for id, response in self.model.items() if response.given.annotator == annotator]
        if not gone:
            with pytest.raises(LedgerError, match="no answer that counts"):
                self.ledgers[who].withdraw(annotator, "chief")
            return
        self.ledgers[who].withdraw(annotator, "chief")
        self.written += 1
        for id in gone:
            del self.model[id]

    @rule(who=st.integers(0, 1))
    def reopen(self, who: int) -> None:
        self.ledgers[who].close()
        self.ledgers[who] = Ledger(self.folder / "l.db", read_only=False)

    @invariant()
    def both_say_what_the_model_says(self) -> None:
        trained = [(id, response) for id, response in sorted(self.model.items()) if not isinstance(response, Skip)]
        answered = {response.given.query for response in self.model.values()}
        for ledger in self.ledgers:
            assert list(ledger.active().items()) == trained
            assert [query.id for query in ledger.waiting()] == [id for id in self.queries if id not in answered]
            assert [record.id for record in ledger.records()] == list(range(1, self.written + 1))


AgainstAModel.TestCase.settings = settings(max_examples=15, stateful_step_count=12, deadline=None,
                                           suppress_health_check=[HealthCheck.too_slow])
TestAgainstAModel = AgainstAModel.TestCase


def test_what_was_said_is_there_after_opening_again(ledger: Ledger, path: Path) -> None:
    ledger.ask(pair(), Query("r", "rating", (C,), (0,)))
    ids = [ledger.answer(said("left")), ledger.answer(Rating(C, 6, Given("anna", "r"))), ledger.answer(said("skip", "ben"))]
    ledger.close()
    with Ledger(path, read_only=True) as again:
        assert again.active() == {ids[0]: said("left"), ids[1]: Rating(C, 6, Given("anna", "r"))}
        assert [record.kind for record in again.records()] == ["query", "query", "answer", "answer", "answer"]
        assert again.waiting() == []
        assert again.verify() == 5


def test_who_may_answer_what(ledger: Ledger) -> None:
    ledger.ask(pair("all"), replace(pair("hers"), to="anna"))
    assert [query.id for query in ledger.waiting("anna")] == [query.id for query in ledger.waiting()] == ["all", "hers"]
    assert [query.id for query in ledger.waiting("ben")] == ["all"]


def test_numbers_of_numpy_are_stored_too(ledger: Ledger, path: Path) -> None:
    clip = Segment("a", np.int64(3), np.int32(9))  # type: ignore[arg-type]
    ledger.ask(Query("q", "rating", (clip,), (np.intp(0),), np.float32(1.5), np.int64(2), predicted=(np.float32(0.25),)))  # type: ignore[arg-type]
    ledger.answer(Rating(clip, np.int64(3), Given("anna", "q")))  # type: ignore[arg-type]
    with Ledger(path, read_only=True) as again:
        assert again.active() == ledger.active() == {2: Rating(Segment("a", 3, 9), 3, Given("anna", "q"))}


def test_a_query_that_was_undone_waits_again(ledger: Ledger) -> None:
    ledger.ask(pair())
    ledger.undo(ledger.answer(said("skip")), "anna")
    assert ledger.waiting() == [pair()]
    ledger.answer(said("right"))
    assert ledger.waiting() == []


@pytest.mark.parametrize(("act", "text"), [
    (lambda ledger: ledger.ask(pair()), "Query 'q' is in the ledger already"),
    (lambda ledger: ledger.ask(pair("new"), pair("new")), "Query 'new' is in the ledger already"),
    (lambda ledger: ledger.answer(said("left")), "anna has answered query 'q' already, with answer 2(.|\n)*undo"),
    (lambda ledger: ledger.answer(said("left", query="w")), "no query 'w' in the ledger"),
    (lambda ledger: ledger.answer(said("left", annotator="")), "Nobody is named"),
    (lambda ledger: ledger.answer(Skip(Given("ben"))), "Nothing is skipped"),
    (lambda ledger: ledger.answer(Rating(A, 3, Given("ben", "q"))), "answered with a rating(.|\n)*a ranking, or skip"),
    (lambda ledger: ledger.undo(1, "anna"), "no answer 1 that counts"),
    (lambda ledger: ledger.amend(2, said("left", "ben")), "Answer 2 is anna's(.|\n)*ben's"),
    (lambda ledger: ledger.withdraw("ana", "chief"), "named 'ana'(.|\n)*Did you mean 'anna'"),
])
def test_what_does_not_fit_is_refused_and_changes_nothing(act: Callable[[Ledger], object], text: str, ledger: Ledger) -> None:
    ledger.ask(pair())
    ledger.answer(said("left"))
    before = ledger.records()
    with pytest.raises(DataError, match=text):
        act(ledger)
    assert ledger.records() == before
    assert ledger.active() == {2: said("left")}
    assert ledger.answer(said("right", "ben")) == 3, "and it goes on"


@pytest.mark.parametrize("statement", [
    "UPDATE records SET annotator = 'eve'", "DELETE FROM records", "DELETE FROM records WHERE id = 1",
    "INSERT OR REPLACE INTO records SELECT id, kind, 0, annotator, document FROM records",
    "INSERT INTO records VALUES (99, 'gossip', 0, '', '{}')", "INSERT INTO records VALUES (99, 'answer', 0, '', 'no json')",
])
def test_the_file_itself_refuses_changes(statement: str, ledger: Ledger, path: Path) -> None:
    ledger.ask(pair())
    before = ledger.records()
    other = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError):
        other.execute(statement)
    other.close()
    assert ledger.records() == before


def test_a_clock_that_is_set_back_changes_no_order(path: Path) -> None:
    times = iter([100.0, 50.0, 75.0])
    with Ledger(path, clock=lambda: next(times)) as ledger:
        ledger.ask(pair())
        ledger.answer(said("left"))
        ledger.answer(said("right", "ben"))
        assert [(record.id, record.time) for record in ledger.records()] == [(1, 100.0), (2, 50.0), (3, 75.0)]
        assert list(ledger.active()) == [2, 3]


def test_hostile_names_and_reasons_are_only_text(ledger: Ledger) -> None:
    name = "Robert'); DROP TABLE records;--"
    ledger.ask(replace(pair(), reason="'; DELETE FROM records; \"\n\\ \N{PILE OF POO} {}"))
    ledger.answer(said("left", name))
    assert ledger.active() == {2: said("left", name)}


# Several processes.


def test_threads_and_objects_write_in_turn(path: Path) -> None:
    """Two objects with two threads each: all that is written is there, each of a batch beside the others."""
    ledgers = [Ledger(path), Ledger(path)]

    def write(number: int) -> None:
        for batch in range(10):
            ledgers[number % 2].ask(*(pair(f"{number}-{batch}-{k}") for k in range(3)))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [query.id for query in ledgers[0].waiting()]
    assert len(ids) == len(set(ids)) == 120
    assert all(ids[at : at + 3] == [f"{ids[at][:-2]}-{k}" for k in range(3)] for at in range(0, 120, 3))
    for ledger in ledgers:
        ledger.close()


def test_several_may_make_the_same_ledger_at_once(path: Path) -> None:
    made: list[Ledger] = []
    threads = [threading.Thread(target=lambda: made.append(Ledger(path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, ledger in enumerate(made):
        ledger.ask(pair(str(number)))
    assert len(made) == 8 and len(made[0].waiting()) == 8
    for ledger in made:
        ledger.close()
    assert sorted(file.name for file in path.parent.iterdir()) == ["ledger.db"]


def test_what_a_killed_maker_left_does_not_matter(path: Path) -> None:
    for part in ("", "-wal", "-journal"):
        path.with_name(f".ledger.db.new{part}").write_bytes(b"half a ledger")
    with Ledger(path) as ledger:
        ledger.ask(pair())
    assert sorted(file.name for file in path.parent.iterdir()) == ["ledger.db"]


def test_a_ledger_that_another_process_holds_is_an_error_and_then_goes_on(ledger: Ledger, path: Path) -> None:
    ledger.ask(pair())
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerError, match=r"locked by another process(.|\n)*still there(.|\n)*Wait"):
        ledger.answer(said("left"))
    assert ledger.waiting() == [pair()], "reading goes on meanwhile"
    other.execute("ROLLBACK")
    other.close()
    assert ledger.answer(said("left")) == 2


# Disks and files.


def test_a_full_disk_loses_nothing(ledger: Ledger, path: Path) -> None:
    ledger.ask(pair())
    first = ledger.answer(said("left"))
    with full_disk(path.with_name("ledger.db-wal").stat().st_size + 100):
        with pytest.raises(LedgerError, match=r"ledger.db (cannot grow|cannot be read or written)(.|\n)*still there"):
            ledger.answer(said("right", "ben"))
        assert ledger.active() == {first: said("left")}
    second = ledger.answer(said("right", "ben"))
    ledger.close()
    with Ledger(path) as again:
        assert again.active() == {first: said("left"), second: said("right", "ben")}


def test_a_disk_that_is_full_from_the_start(path: Path) -> None:
    with full_disk(100), pytest.raises(LedgerError, match=r"Cannot make the ledger(.|\n)*Free some space"):
        Ledger(path)
    assert not path.exists()
    Ledger(path).close()


def test_reading_only_changes_nothing(ledger: Ledger, path: Path) -> None:
    ledger.ask(pair())
    ledger.answer(said("left"))
    with Ledger(path, read_only=True) as reader:
        with pytest.raises(LedgerError, match=r"ledger.db is read-only(.|\n)*permissions"):
            reader.undo(2, "anna")
        assert reader.active() == ledger.active() == {2: said("left")}
        assert ledger.answer(said("right", "ben")) == 3, "it locks out nobody"
        assert list(reader.active()) == [2, 3]


def test_without_permission(ledger: Ledger, path: Path) -> None:
    """As another user, because root may write anywhere."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    ledger.ask(pair())
    ledger.answer(said("left"))
    ledger.close()
    for folder in (path.parent, *path.parent.parents):
        if folder != Path("/") and folder.owner() == "root" and folder != Path(tempfile.gettempdir()):
            folder.chmod(0o755)
    path.chmod(0o444)
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.setuid(65534)
        with Ledger(path, read_only=True) as reader:
            os.write(writing, f"{list(reader.active())} ".encode())
        try:
            Ledger(path)
        except LedgerError as error:
            os.write(writing, str(error).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as told:
        text = told.read()
    assert text.startswith("[2] ") and "is read-only" in text and "permissions" in text


def test_there_is_none() -> None:
    with pytest.raises(LedgerError, match=r"There is no ledger /nowhere/l.db"):
        Ledger(Path("/nowhere/l.db"), read_only=True)
    with pytest.raises(LedgerError, match=r"Cannot make the ledger /proc/l.db(.|\n)*where you may write"):
        Ledger(Path("/proc/l.db"))


def text_file(path: Path) -> None:
    path.write_text("dear diary, " * 1000)


def empty_file(path: Path) -> None:
    path.touch()


def other_program(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE records (id)")
    connection.close()


def newer(path: Path) -> None:
    changed(path, "PRAGMA user_version = 2")


def cut_off(path: Path) -> None:
    filled(path)
    path.write_bytes(path.read_bytes()[:-5000])


def overwritten(path: Path) -> None:
    filled(path)
    content = bytearray(path.read_bytes())
    content[-3000:] = b"\xaa" * 3000
    path.write_bytes(content)


def newer_record(path: Path) -> None:
    changed(path, "INSERT INTO records VALUES (1, 'query', 0, '', '{\"type\": \"query\", \"version\": 7}')")


def strange_record(path: Path) -> None:
    changed(path, "INSERT INTO records VALUES (1, 'undo', 0, 'anna', '{\"version\": 1, \"answers\": [3]}')")


def changed(path: Path, statement: str) -> None:
    Ledger(path).close()
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def filled(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.ask(*(pair(str(number)) for number in range(50)))


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize(("spoil", "text"), [
    (text_file, "is no ledger(.|\n)*Name another"),
    (empty_file, "is no ledger(.|\n)*Name another"),
    (other_program, "is no ledger(.|\n)*Name another"),
    (newer, "is a ledger of version 2(.|\n)*reads version 1(.|\n)*newer"),
    (cut_off, "is damaged or cut off(.|\n)*recover"),
    (overwritten, "is damaged or cut off(.|\n)*recover|Record \\d+ of .* cannot be read"),
    (newer_record, "Record 1 of .* of version 7(.|\n)*newer"),
    (strange_record, "Record 1 of .* no record of kind 'undo'(.|\n)*recover"),
])
def test_files_that_cannot_be_used_are_left_as_they_are(
    spoil: Callable[[Path], None], text: str, read_only: bool, path: Path
) -> None:
    spoil(path)
    before = path.read_bytes()
    with pytest.raises(LedgerError, match=text), Ledger(path, read_only=read_only) as ledger:
        ledger.verify()
    assert path.read_bytes() == before


def test_the_same_records_give_the_same_feedback_in_the_same_order(ledger: Ledger, path: Path) -> None:
    """What a reward is rebuilt from does not depend on when and how often the ledger was read."""
    ledger.ask(*(pair(str(number)) for number in range(20)))
    draw = random.Random(1)
    read: list[dict[int, Feedback]] = []
    for number in range(20):
        ledger.answer(said(draw.choice(["left", "right", "equal", "skip"]), query=str(number)))
        if number % 3 == 0:
            read.append(ledger.active())
    ledger.amend(21, said("equal", query="0"))
    with Ledger(path) as again:
        assert list(again.active().items()) == list(ledger.active().items())
    assert next(iter(ledger.active())) == 21 and ledger.active()[21] == said("equal", query="0")
