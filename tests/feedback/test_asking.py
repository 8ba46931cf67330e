"""Asking: what becomes a question; and a teacher who is not there, slow or broken, and a restart, which cost answers or nothing."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from rewardbot.errors import ConfigError
from rewardbot.feedback import queries
from rewardbot.feedback.asking import (
    CHECK,
    Asking,
    AskingConfig,
    Judged,
    choose,
    draw_checks,
    draw_clips,
    draw_options,
    probabilities,
)
from rewardbot.feedback.feedback import Given, Kind, Query, Ranking, Response, Skip, answer_pair
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.records import History
from rewardbot.feedback.repeats import AGAIN
from rewardbot.feedback.schedule import Schedule
from rewardbot.feedback.teachers.recorded import Human
from rewardbot.feedback.teachers.simulated import Simulated
from rewardbot.types import Segment

EPISODES = [Segment(f"e{number}", 0, 30) for number in range(4)]
CONFIG = AskingConfig(strategy="disagreement", steps=5, clips=40, candidates=200, checks=0.0,
                      schedule=Schedule(budget=12, first=6, waiting=8))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "l.db", wait_s=0.05) as found:
        yield found


def true(clip: Segment) -> np.ndarray:
    """Later steps are better, and so are later episodes."""
    return np.arange(clip.start, clip.stop) + 100.0 * int(clip.episode_id[1:])


def simulated() -> Simulated:
    return Simulated(true)


def judge(clips: Sequence[Segment]) -> Judged:
    """Two members, who disagree the more the further the clips are apart in time."""
    start = np.array([clip.start for clip in clips], np.float64)
    return Judged(np.stack([0.1 * start, -0.1 * start]), start[:, None])


class Dead:
    """A teacher who raises whenever it is called, until it is mended."""

    name, kinds = "simulated", ("pair",)

    def __init__(self) -> None:
        self.broken, self.teacher, self.asked = True, simulated(), list[str]()

    def ask(self, query: Query) -> None:
        self._check()
        self.asked.append(query.id)
        self.teacher.ask(query)

    def poll(self) -> list[Response]:
        self._check()
        return self.teacher.poll()

    def close(self) -> None: ...

    def _check(self) -> None:
        if self.broken:
            raise ConnectionError("gone")


class Silent(Dead):
    """A teacher who is asked and never answers."""

    def _check(self) -> None: ...

    def poll(self) -> list[Response]:
        return []


def test_questions_are_asked_when_they_are_due_and_answers_go_to_the_ledger(ledger: Ledger) -> None:
    asking = Asking(ledger, simulated(), CONFIG)
    assert not asking.poll()
    assert asking.ask(EPISODES, progress=0.0) == 6 and asking.waiting == 6
    assert asking.ask(EPISODES, progress=0.0) == 0
    assert asking.poll() and not asking.poll()
    assert (asking.answered, asking.waiting, asking.skipped) == (6, 0, 0)
    assert asking.ask(EPISODES, judge, progress=1.0, version=3) == 6
    assert asking.poll() and asking.ask(EPISODES, judge, progress=1.0) == 0, "the budget is spent"
    assert len(ledger.active()) == 12
    for answer in ledger.active().values():
        assert isinstance(answer, Ranking)
        better, worse = (true(clip).sum() for _, clip in sorted(zip(answer.ranks, answer.segments, strict=True)))
        assert better >= worse


def test_a_person_is_asked_again_now_and_then_and_a_machine_is_not(ledger: Ledger) -> None:
    config = replace(CONFIG, repeats=4)
    asking = Asking(ledger, Human(ledger), config)
    assert asking.ask(EPISODES, progress=0.0) == 6
    for query in ledger.history().waiting():
        ledger.answer(answer_pair(query, "left", Given("ann", query.id)))
    asking.poll()
    assert asking.ask(EPISODES, progress=1.0) == 6
    again = [query for query in ledger.history().waiting() if query.strategy == "repeat"]
    assert len(again) == 1 and len(ledger.history().waiting()) == 6
    assert again[0].order == ledger.history().queries[again[0].id.removeprefix(AGAIN)].order[::-1]
    machine = Asking(ledger, simulated(), config)
    assert not machine._repeats(ledger.history())


def test_a_question_says_where_it_comes_from(ledger: Ledger) -> None:
    kept: list[Segment] = []
    asking = Asking(ledger, simulated(), CONFIG, clock=lambda: 7.0)
    asking.ask(EPISODES, progress=0.0, keep=kept.append)
    asking.ask(EPISODES, judge, progress=0.5, version=3, keep=kept.append)
    found = list(ledger.history().queries.values())
    assert [query.id for query in found] == [f"q{number}" for number in range(1, len(found) + 1)]
    assert kept == [clip for query in found for clip in query.options], "each clip is kept before it is asked about"
    assert {(query.strategy, query.reward_version, query.predicted) for query in found[:6]} == {("uniform", 0, ())}
    for query in found[6:]:
        assert (query.strategy, query.reward_version, query.asked, query.to) == ("disagreement", 3, 7.0, "simulated")
        assert query.predicted == pytest.approx((0.5, 0.5)), "the two members hold the opposite"
    assert {query.order for query in found} == {(0, 1), (1, 0)}, "either is shown left"
    assert all(clip.stop - clip.start == 5 for clip in kept)


def test_the_strategy_chooses(ledger: Ledger) -> None:
    def apart(name: str) -> float:
        with Ledger(ledger.path.with_name(f"{name}.db")) as own:
            Asking(own, simulated(), replace(CONFIG, strategy=name)).ask(EPISODES, judge, progress=0.0)
            return float(np.mean([abs(query.options[0].start - query.options[1].start) for query in own.history().queries.values()]))

    found = {name: apart(name) for name in queries.SCORES}
    assert min(found["disagreement"], found["mutual_information"], found["thompson"]) > found["uniform"] + 5.0
    assert found["disagreement"] > 20.0, "of 26 starts"


@pytest.mark.parametrize("each", [1, 4, 10])
def test_a_share_of_the_questions_is_drawn_from_the_newest_episodes_and_earlier_ones(ledger: Ledger, each: int) -> None:
    config = replace(CONFIG, checks=0.2, newest=1, schedule=Schedule(budget=100, first=100, waiting=each))
    asking = Asking(ledger, simulated(), config)
    for _ in range(40 // each):
        assert asking.ask(EPISODES, judge, progress=1.0, version=3) == each
        asking.poll()
    found = list(ledger.history().queries.values())
    checks = [query for query in found if query.strategy == CHECK]
    assert len(checks) == 8 and {query.strategy for query in found} == {CHECK, "disagreement"}
    for number in range(each, 41, each):
        assert sum(query.strategy == CHECK for query in found[:number]) == number // 5, "the share holds at any time"
    for query in checks:
        now, earlier = query.options
        assert now.episode_id == "e3" and earlier.episode_id != "e3", "before they are mixed for who looks at them"
        assert query.predicted == pytest.approx((0.5, 0.5)) and "by chance" in query.reason and query.reward_version == 3
    apart = [abs(query.options[0].start - query.options[1].start) for query in checks]
    assert np.mean(apart) < 16.0, "of 26 starts: not what the members disagree on"
    assert len({frozenset(query.options) for query in found}) == 40


def test_checks_are_pairs_of_a_reward(ledger: Ledger) -> None:
    ranked = replace(CONFIG, checks=1.0, kinds=("ranking",))
    assert Asking(ledger, simulated(), ranked).ask(EPISODES, judge, progress=0.0) == 6
    assert {query.kind for query in ledger.history().queries.values()} == {"ranking"}
    with Ledger(ledger.path.with_name("other.db")) as other:
        asking = Asking(other, simulated(), replace(CONFIG, checks=1.0))
        assert asking.ask(EPISODES, progress=0.0) == 6 and asking.poll()
        assert asking.ask(EPISODES, lambda clips: Judged(np.full((2, len(clips)), np.nan), np.zeros((len(clips), 1))),
                          progress=1.0) == 0, "nobody can see NaN"
        assert asking.ask(EPISODES, judge, progress=1.0) == 6
        assert [query.strategy for query in other.history().queries.values()] == ["uniform"] * 6 + [CHECK] * 6


def test_checks_of_few_episodes() -> None:
    rng = np.random.default_rng(0)
    one = [Segment("a", 0, 4)]
    assert draw_checks([], 3, 2, 5, rng) == [] and draw_checks(one, 3, 4, 5, rng) == [], "one clip is all there is"
    assert {frozenset(pair) for pair in draw_checks(one, 3, 3, 5, rng)} == {frozenset({Segment("a", 0, 3), Segment("a", 1, 4)})}
    assert len(draw_checks([*one, Segment("b", 0, 2)], 1, 2, 9, rng)) == 3, "the clip of b against each of a"


def test_a_spread_keeps_questions_apart() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 3))
    judged = Judged(rng.normal(size=(5, 3)) @ features.T, features)
    options = draw_options(2, 60, 500, rng)
    deviations = queries.deviations(probabilities("pair", judged.utility, options, 0.0))

    def asked(spread: Literal["", "k_center", "batch_diverse"]) -> list[int]:
        found = choose("disagreement", replace(CONFIG, spread=spread), {"pair": options}, judged, History(), 10, rng)
        assert len({index for _, index, _ in found}) == 10 and {kind for kind, _, _ in found} == {"pair"}
        return [index for _, index, _ in found]

    def distance(chosen: list[int]) -> float:
        differences = np.subtract(*features[options[chosen]].swapaxes(0, 1))
        return float(np.mean([np.linalg.norm(a - b) for a, b in itertools.combinations(differences, 2)]))

    def likeness(chosen: list[int]) -> float:
        unit = deviations[chosen] / np.linalg.norm(deviations[chosen], axis=-1, keepdims=True)
        return float(np.mean([abs(a @ b) for a, b in itertools.combinations(unit, 2)]))

    assert distance(asked("k_center")) > 1.2 * distance(asked(""))
    assert likeness(asked("batch_diverse")) < 0.8 * likeness(asked(""))


def test_several_kinds_are_weighed_by_what_they_tell_a_second(ledger: Ledger) -> None:
    config = replace(CONFIG, strategy="mutual_information", kinds=("pair", "ranking", "rating"))
    asking = Asking(ledger, simulated(), config)
    assert asking.ask(EPISODES, judge, progress=0.0) == 6
    assert asking.poll() and asking.answered == 6
    with Ledger(ledger.path.with_name("other.db")) as other:
        assert Asking(other, simulated(), config).ask(EPISODES, progress=0.0) == 6
        kinds = [query.kind for query in other.history().queries.values()]
    assert {kind: kinds.count(kind) for kind in kinds} == {"pair": 2, "ranking": 2, "rating": 2}, "without a reward, some of each"


def test_a_restart_in_mid_question_asks_again_what_waits_and_loses_nothing(ledger: Ledger) -> None:
    first = Silent()
    asking = Asking(ledger, first, CONFIG)
    assert asking.ask(EPISODES, progress=0.0) == 6 and not asking.poll()
    ids = [query.id for query in ledger.waiting()]
    ledger.answer(answer_pair(ledger.waiting()[0], "left", Given("simulated", ids[0])))  # while the learner is dead
    with Ledger(ledger.path) as reopened:
        second = Dead()
        second.broken = False
        again = Asking(reopened, second, CONFIG)
        assert (again.answered, again.waiting) == (1, 5)
        assert again.ask(EPISODES, progress=0.0) == 0
        assert again.poll()
        assert second.asked == ids[1:], "each once, and none that was answered"
        assert (again.answered, again.waiting) == (6, 0)
        assert not again.poll()


def test_a_dead_teacher_costs_nothing_but_answers(ledger: Ledger) -> None:
    said: list[str] = []
    teacher = Dead()
    asking = Asking(ledger, teacher, CONFIG, say=said.append)
    for progress in np.linspace(0.0, 1.0, 30):
        asking.ask(EPISODES, judge, progress=float(progress))
        assert not asking.poll()
    assert len(said) == 1 and said[0].startswith("ConnectionError: gone\n") and asking.trouble == said[0]
    assert 1 <= len(ledger.waiting()) <= CONFIG.schedule.waiting
    teacher.broken = False
    assert asking.poll() and asking.trouble == ""
    assert ledger.waiting() == [] and sorted(teacher.asked) == sorted(set(teacher.asked))


def test_a_teacher_who_never_answers_is_not_asked_without_end(ledger: Ledger) -> None:
    asking = Asking(ledger, Silent(), CONFIG)
    for progress in np.linspace(0.0, 1.0, 30):
        asking.ask(EPISODES, progress=float(progress))
        assert not asking.poll()
    assert asking.waiting == len(ledger.waiting()) == CONFIG.schedule.waiting


def test_who_always_skips_is_not_asked_without_end(ledger: Ledger) -> None:
    class Skips(Silent):
        def poll(self) -> list[Response]:
            return [Skip(answer.given) for answer in self.teacher.poll()]

    asking = Asking(ledger, Skips(), CONFIG)
    for _ in range(30):
        asking.ask(EPISODES, progress=1.0)
        asking.poll()
    assert asking.answered == 0 and asking.skipped == 2 * CONFIG.schedule.budget


def test_a_question_that_cannot_be_judged_is_skipped(ledger: Ledger) -> None:
    blind = Simulated(lambda clip: np.full(clip.stop - clip.start, np.nan))
    asking = Asking(ledger, blind, CONFIG)
    asking.ask(EPISODES, progress=0.0)
    asking.poll()
    assert (asking.answered, asking.skipped, asking.waiting, asking.trouble) == (0, 6, 0, "")


def test_an_answer_that_fits_no_question_is_dropped(ledger: Ledger) -> None:
    class Confused(Silent):
        def poll(self) -> list[Response]:
            return [Ranking(EPISODES[:2], (0, 1), Given("simulated", "q99")), *self.teacher.poll()]  # type: ignore[arg-type]

    asking = Asking(ledger, Confused(), CONFIG)
    asking.ask(EPISODES, progress=0.0)
    asking.poll()
    assert (asking.answered, asking.waiting) == (6, 0)


def test_a_locked_ledger_loses_no_answer_and_does_not_hold_up(ledger: Ledger) -> None:
    asking = Asking(ledger, simulated(), CONFIG, say=lambda text: None)
    asking.ask(EPISODES, progress=0.0)
    other = Ledger(ledger.path)
    other._begin()  # somebody writes, and takes their time
    assert not asking.poll() and "is locked by another process" in asking.trouble
    assert asking.ask(EPISODES, progress=1.0) == 0
    other._connection.execute("ROLLBACK")
    assert asking.poll() and asking.answered == 6 and asking.trouble == ""


def test_a_person_answers_elsewhere_and_takes_it_back(ledger: Ledger) -> None:
    asking = Asking(ledger, Human(ledger), CONFIG)
    asking.ask(EPISODES, progress=0.0)
    assert not asking.poll()
    with Ledger(ledger.path) as window:
        answer = window.answer(answer_pair(window.waiting("anna")[0], "right", Given("anna", "q1")))
        assert asking.poll() and (asking.answered, asking.waiting) == (1, 5)
        window.undo(answer, "anna")
        assert asking.poll() and (asking.answered, asking.waiting) == (0, 6)
    assert not asking.poll()


def test_nothing_is_asked_about_nothing(ledger: Ledger) -> None:
    asking = Asking(ledger, simulated(), CONFIG)
    assert asking.ask([], progress=1.0) == 0
    assert asking.ask([Segment("e0", 0, 3)], judge, progress=1.0) == 0, "one clip makes no pair"
    assert asking.ask([Segment("e0", 0, 1), Segment("e1", 0, 1)], judge, progress=1.0) == 1, "clips of one frame"
    assert asking.ask([Segment("e0", 0, 1), Segment("e1", 0, 1)], judge, progress=1.0) == 0, "which it has been asked already"


def test_clips_that_hold_nan_are_not_asked_about(ledger: Ledger) -> None:
    def partly(clips: Sequence[Segment]) -> Judged:
        found = judge(clips)
        found.utility[1, [clip.episode_id == "e2" for clip in clips]] = np.nan
        return found

    Asking(ledger, simulated(), CONFIG).ask(EPISODES, partly, progress=0.0)
    clips = [clip for query in ledger.waiting() for clip in query.options]
    assert len(clips) == 12 and all(clip.episode_id != "e2" for clip in clips)


def test_clips_are_drawn_by_steps() -> None:
    rng = np.random.default_rng(0)
    episodes = [Segment("long", 0, 300), Segment("late", 90, 100), Segment("short", 0, 3)]
    clips = draw_clips(episodes, 10, 200, rng)
    assert len(set(clips)) == len(clips) == 200
    assert Segment("late", 90, 100) in clips and Segment("short", 0, 3) in clips
    assert all(clip.stop - clip.start == 10 for clip in clips if clip.episode_id == "long")
    assert len(draw_clips(episodes[1:], 10, 200, rng)) == 2, "there are no more"


def test_sets_of_clips_are_drawn_once() -> None:
    rng = np.random.default_rng(0)
    assert draw_options(2, 4, 100, rng).tolist() == [list(pair) for pair in itertools.combinations(range(4), 2)]
    found = draw_options(3, 30, 50, rng)
    assert found.shape == (50, 3) and len({tuple(row) for row in found}) == 50 and (np.diff(found) > 0).all()
    assert draw_options(2, 1, 10, rng).shape == (0, 2)


@pytest.mark.parametrize(("kind", "size", "answers"), [("pair", 2, 2), ("ranking", 3, 6), ("rating", 1, 7)])
def test_answers_have_probabilities(kind: Kind, size: int, answers: int) -> None:
    rng = np.random.default_rng(0)
    p = probabilities(kind, rng.normal(size=(4, 20)), draw_options(size, 20, 15, rng), 0.0)
    assert p.shape == (4, 15, answers)
    np.testing.assert_allclose(p.sum(-1), 1.0)
    queries.check(p)


def test_the_probability_of_a_pair_by_hand() -> None:
    p = probabilities("pair", np.array([[0.0, np.log(3.0)]]), np.array([[0, 1]]), 0.0)
    np.testing.assert_allclose(p, [[[0.25, 0.75]]])


@pytest.mark.parametrize(("settings", "said"), [
    ({"strategy": "disagreements"}, "no query strategy named 'disagreements'(.|\n)*Did you mean 'disagreement'"),
    ({"kinds": ("pair", "mark")}, "no kind of question that a reward can choose named 'mark'"),
    ({"kinds": ("pair", "rating")}, "kinds names 2 kinds, to be chosen by disagreement"),
    ({"kinds": ()}, "kinds names 0 kinds"),
])
def test_what_cannot_be_asked_is_refused(settings: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        AskingConfig(**settings)


def test_a_teacher_is_not_asked_what_it_does_not_answer(ledger: Ledger) -> None:
    with pytest.raises(ConfigError, match=r"'simulated' does not answer: rating\.(.|\n)*It answers: pair"):
        Asking(ledger, Silent(), AskingConfig(kinds=("rating",)))
