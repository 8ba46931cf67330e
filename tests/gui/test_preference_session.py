"""The preference window's behaviour, without Qt, against a desk that may be slow, gone or unable to store."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from rewardbot.feedback.annotators import Conflict
from rewardbot.feedback.feedback import Ranking, Rating, Skip, SuccessMark, UnsafeInterval
from rewardbot.feedback.messages import Questions
from rewardbot.feedback.people import Dispute
from rewardbot.gui import preference_words as words
from rewardbot.gui.preference_outbox import LATE_S, RETRY_S
from rewardbot.gui.preference_session import LOOK_S
from rewardbot.gui.silence import SILENT_S
from rewardbot.types import Segment
from tests.gui.desk import question
from tests.gui.sitting import Sitting


def test_an_answer_counts_when_it_is_on_the_disk_and_then_comes_the_next_question() -> None:
    sitting = Sitting(question("a"), question("b"))
    assert (sitting.on_screen, sitting.session.phase) == ("a", "loading")
    sitting.look(2.5)
    sitting.press("left")
    assert (sitting.on_screen, sitting.session.phase, sitting.session.progress.answered) == ("a", "storing", 0)
    sitting.store()
    assert (sitting.on_screen, sitting.session.progress.answered) == ("b", 1)
    (answer,) = sitting.desk.stored()
    assert isinstance(answer, Ranking) and answer.ranks == (0, 1)
    assert (answer.given.annotator, answer.given.seconds, answer.given.asked) == ("ann", 2.5, 1e9 + 100.0)


def test_sides_that_are_swapped_are_told_apart() -> None:
    sitting = Sitting(question("a", order=(1, 0)))
    sitting.look()
    sitting.press("left")
    sitting.store()
    (answer,) = sitting.desk.stored()
    assert isinstance(answer, Ranking) and answer.ranks == (1, 0), "the second option was on the left"


@pytest.mark.parametrize(("action", "said"), [("equal", (0, 0)), ("skip", None)])
def test_equal_is_a_tie_and_skip_is_none(action: str, said: tuple[int, int] | None) -> None:
    sitting = Sitting(question("a"))
    sitting.look()
    sitting.press(action)
    sitting.store()
    (answer,) = sitting.desk.stored()
    assert (answer.ranks if isinstance(answer, Ranking) else None) == said and isinstance(answer, Skip) == (said is None)
    progress = sitting.session.progress
    assert (progress.answered, progress.skipped) == ((1, 0) if said else (0, 1))
    assert sitting.session.phase == "waiting"


def test_a_key_that_is_hammered_answers_one_question() -> None:
    sitting = Sitting(question("a"), question("b"))
    sitting.look()
    sitting.press("left", "left", "right", "left")
    sitting.store()
    sitting.press("left")
    assert "clips are not there" in sitting.session.said
    sitting.look(0.5 * LOOK_S)
    sitting.press("left")
    assert "Too quick" in sitting.session.said and len(sitting.desk.stored()) == 1 and not sitting.desk.requests


def test_a_desk_that_was_gone_gets_the_same_request_again() -> None:
    sitting = Sitting(question("a"), question("b"))
    sitting.look()
    sitting.desk.gone = True
    sitting.press("right")
    sitting.wait(LATE_S + 0.1)
    assert sitting.session.phase == "storing" and sitting.session.outbox.late > LATE_S
    sitting.desk.gone = False
    sitting.wait(RETRY_S)
    sitting.wait(RETRY_S)
    assert len(sitting.desk.requests) == 2 and len({request.id for request in sitting.desk.requests}) == 1
    sitting.store()
    assert len(sitting.desk.stored()) == 1 and sitting.on_screen == "b" and sitting.session.outbox.late == 0.0


def test_what_cannot_be_stored_stays_on_the_screen_and_is_told_once() -> None:
    sitting = Sitting(question("a"))
    sitting.look()
    sitting.desk.trouble = "The ledger is read-only."
    sitting.press("left")
    told = sitting.session.count
    for _ in range(3):
        sitting.store()
        sitting.wait(RETRY_S)
    assert sitting.session.outbox.trouble == "The ledger is read-only." and sitting.session.count == told + 1
    assert sitting.session.phase == "storing" and sitting.session.progress.answered == 0
    sitting.desk.trouble = ""
    sitting.store()
    assert sitting.session.outbox.trouble == "" and sitting.session.progress.answered == 1


def test_undo_is_a_record_and_asks_the_same_again() -> None:
    sitting = Sitting(question("a"), question("b"), question("c"))
    for _ in range(2):
        sitting.look()
        sitting.press("left")
        sitting.store()
    assert sitting.on_screen == "c"
    sitting.press("undo")
    sitting.store()
    assert sitting.on_screen == "b" and sitting.session.progress.answered == 1 == len(sitting.desk.stored())
    sitting.look()
    sitting.press("right")
    sitting.store()
    assert sitting.on_screen == "c"
    assert [answer.ranks for answer in sitting.desk.stored() if isinstance(answer, Ranking)] == [(0, 1), (1, 0)]
    assert sitting.desk.history.last == 3 + 4


def test_with_nothing_to_undo_it_says_so() -> None:
    sitting = Sitting(question("a"))
    sitting.press("undo")
    assert "nothing of this sitting to undo" in sitting.session.said and not sitting.desk.requests


def test_a_question_that_is_withdrawn_makes_room_for_the_next() -> None:
    sitting = Sitting(question("a"), question("b"))
    sitting.look()
    sitting.desk.withdrawn.add("a")
    sitting.store()
    assert sitting.on_screen == "b" and sitting.session.said == "That question was withdrawn."


def test_a_question_that_is_withdrawn_while_its_answer_is_on_the_way_is_told() -> None:
    sitting = Sitting(question("a"), question("b"))
    sitting.look()
    sitting.press("left")
    sitting.desk.withdrawn.add("a")
    sitting.session.questions(sitting.desk.questions())
    assert sitting.on_screen == "a", "its answer may count all the same"
    sitting.store()
    assert sitting.on_screen == "b" and sitting.session.progress.answered == 0


def test_questions_for_others_are_not_shown() -> None:
    assert Sitting(question("a", to="bob"), question("b", to="ann"), question("c")).on_screen == "b"


def test_two_operators_are_shown_different_questions_and_keep_the_one_they_look_at() -> None:
    asked = tuple(question(f"q{number}") for number in range(1, 9))
    ann, bob = Sitting(annotator="ann"), Sitting(annotator="bob")
    for sitting in (ann, bob):
        sitting.session.questions(Questions("desk", asked, (), ("ann", "bob")))
    assert ann.on_screen != bob.on_screen
    for sitting in (ann, bob):
        before = sitting.on_screen
        sitting.session.questions(Questions("desk", asked))  # the other one has gone
        assert sitting.on_screen == before


def test_clips_that_cannot_be_shown_are_named_and_skipped() -> None:
    sitting = Sitting(question("a"), question("b"))
    sitting.session.unusable("a", "/bags/a-0 is cut off or damaged")
    assert sitting.on_screen == "b" and "/bags/a-0" in sitting.session.said
    sitting.look()
    sitting.store()
    assert sitting.session.progress.skipped == 0, "the person did not skip it"
    assert [type(answer) for answer in sitting.desk.stored()] == [Skip] and sitting.on_screen == "b"


def test_a_clip_that_is_wanted_later_may_fail_too() -> None:
    sitting = Sitting(question("a"), question("b"), question("c"))
    sitting.session.unusable("b", "missing")
    assert sitting.on_screen == "a" and [one.query.id for one in sitting.session.upcoming] == ["c"]


def test_a_rating_is_one_key() -> None:
    sitting = Sitting(question("a", "rating"))
    sitting.look()
    sitting.press("left", "rate 6")
    sitting.store()
    (answer,) = sitting.desk.stored()
    assert isinstance(answer, Rating) and answer.level == 6
    assert words.last(sitting.session.last) == "Stored: 6 of 7.  U undoes it"


def test_a_mark_is_about_the_frame_that_is_shown_at_first_the_last_one() -> None:
    sitting = Sitting(question("a", "mark"), question("b", "mark"))
    sitting.look()
    sitting.press("success")
    sitting.store()
    sitting.look()
    sitting.press("frame back", "frame back", "failure")
    sitting.store()
    first, second = sitting.desk.stored()
    assert isinstance(first, SuccessMark) and (first.step, first.success) == (15, True)
    assert isinstance(second, SuccessMark) and (second.step, second.success) == (13, False)


def test_an_order_is_typed_with_ties_and_given() -> None:
    sitting = Sitting(question("a", "ranking", clips=4, order=(2, 0, 3, 1)))
    sitting.look()
    sitting.press("pick 2", "pick 2", "pick 4", "tie", "pick 1", "give")
    assert "3 of 4" in sitting.session.said
    sitting.press("back", "back", "pick 3", "tie", "pick 1", "give", "pick 4", "give")
    sitting.store()
    (answer,) = sitting.desk.stored()
    # The places 2 > 3 = 1 > 4 show the options 0, 3 = 2, 1.
    assert isinstance(answer, Ranking) and answer.ranks == (0, 2, 1, 1)
    assert words.last(sitting.session.last) == "Stored: clip 2, then clip 1 and clip 3, then clip 4.  U undoes it"


def test_an_order_may_be_dragged() -> None:
    sitting = Sitting(question("a", "ranking"))
    sitting.look()
    sitting.session.dragged([2, 0, 1])
    sitting.session.dragged([2, 0])
    sitting.press("give")
    sitting.store()
    (answer,) = sitting.desk.stored()
    assert isinstance(answer, Ranking) and answer.ranks == (1, 2, 0)


def test_an_unsafe_interval_that_was_asked_for() -> None:
    sitting = Sitting(question("a", "interval"))
    sitting.look()
    sitting.press("home", "frame on", "frame on", "unsafe", "frame on", "frame on", "frame on", "unsafe")
    assert sitting.session.typing
    sitting.session.typed(" hits the table ")
    sitting.press("give")
    sitting.store()
    (answer,) = sitting.desk.stored()
    assert isinstance(answer, UnsafeInterval) and answer.segment == Segment("a-0", 7, 10) and answer.reason == "hits the table"
    assert answer.given.query == "a" and sitting.session.phase == "waiting"


def test_an_unsafe_interval_that_nobody_asked_for_leaves_the_question_where_it_is() -> None:
    sitting = Sitting(question("a", order=(1, 0)))
    sitting.look()
    sitting.session.choose(1)
    sitting.press("end", "unsafe", "left")
    assert "First mark the end" in sitting.session.said
    sitting.press("home", "unsafe", "reason 2")
    assert sitting.session.interval is None
    sitting.store()
    (answer,) = sitting.desk.stored()
    assert isinstance(answer, UnsafeInterval) and answer.segment == Segment("a-0", 5, 15) and answer.reason == "too fast"
    assert answer.given.query == "" and sitting.on_screen == "a" and sitting.session.phase == "asking"
    assert sitting.desk.history.answered() == 0, "of a budget it takes nothing"
    sitting.press("undo")
    sitting.store()
    assert not sitting.desk.stored() and sitting.on_screen == "a"


def test_without_a_reason_or_when_left_out_nothing_is_stored() -> None:
    sitting = Sitting(question("a"))
    sitting.look()
    sitting.press("unsafe", "unsafe", "give")
    assert "no reason" in sitting.session.said and sitting.session.typing
    sitting.press("leave")
    sitting.store()
    assert sitting.session.interval is None and not sitting.desk.stored()


def test_what_is_being_marked_outlives_a_withdrawn_question() -> None:
    sitting = Sitting(question("a", "interval"), question("b"))
    sitting.look()
    sitting.press("unsafe", "unsafe")
    sitting.desk.withdrawn.add("a")
    sitting.store()
    assert sitting.on_screen == "a" and sitting.session.typing
    sitting.press("reason 1")
    assert sitting.on_screen == "b"
    sitting.store()
    (answer,) = sitting.desk.stored()
    assert isinstance(answer, UnsafeInterval) and answer.given.query == ""


def test_why_is_hidden_again_with_each_question_and_the_last_answer_is_explained() -> None:
    sitting = Sitting(question("a", predicted=(0.8, 0.2)), question("b"))
    sitting.look()
    sitting.press("why")
    assert sitting.session.why
    sitting.press("left")
    sitting.store()
    last = sitting.session.last
    assert not sitting.session.why and last is not None and last.question is not None and last.question.query.id == "a"


def test_agreement_with_the_model_and_with_oneself() -> None:
    asked = [question("a", predicted=(0.8, 0.2)), question("b", predicted=(0.1, 0.9)),
             question("c", same_clips_as="a", order=(1, 0)), question("d", same_clips_as="b")]
    sitting = Sitting(*asked)
    for side in ("left", "left", "right", "right"):
        sitting.look(10.0)
        sitting.press(side)
        sitting.store()
    progress = sitting.session.progress
    assert progress.agreement() == (0.5, 2), "a as expected, b not"
    assert (progress.repeats, progress.consistent) == (2, 1), "c as a with the sides swapped, d unlike b"
    assert sitting.session.per_minute() == pytest.approx(6.0)
    sitting.press("undo")
    sitting.store()
    assert (progress.repeats, progress.consistent, progress.answered) == (1, 1, 3)


def test_keys_move_the_clips() -> None:
    sitting = Sitting(question("a"))
    sitting.look(0.25)
    play = sitting.session.playback
    assert play.playing and play.at == pytest.approx(0.25)
    for action, at in (("scrub on", 0.75), ("scrub back", 0.25), ("frame on", 0.3), ("frame back", 0.2), ("end", 1.0), ("home", 0.0)):
        sitting.press(action)
        assert play.at == pytest.approx(at) and not play.playing, action
    sitting.press("faster", "faster", "play")
    sitting.wait(0.1)
    assert play.at == pytest.approx(0.4)
    sitting.press("loop", *["slower"] * 4)
    sitting.wait(0.8)
    assert play.at == pytest.approx(0.6), "a quarter"
    sitting.wait(2.0)
    assert play.at == 1.0 and not play.playing, "it ends there"


def test_whoever_says_nothing_for_two_seconds_is_silent_and_answering_goes_on() -> None:
    sitting = Sitting(question("a"))
    sitting.look(SILENT_S - 0.1)
    assert not sitting.session.silent()
    sitting.session.heard("robot")
    sitting.wait(0.2)
    assert list(sitting.session.silent()) == ["learner"]
    sitting.wait(180.0)
    assert words.badges(sitting.session) == [("silent: learner 3 min, robot 3 min", "warning")]
    sitting.press("left")
    sitting.store()
    assert sitting.session.progress.answered == 1


@pytest.mark.parametrize(("predicted", "said"), [((0.5, 0.5), "uncertainty 100%"), ((0.75, 0.25), "uncertainty 81%"),
                                                 ((1.0, 0.0), "uncertainty 0%")])
def test_why_says_how_unsure_the_model_is(predicted: tuple[float, float], said: str) -> None:
    """Entropy in bits: of 3 to 1 it is 2 - 0.75 * log2(3) = 0.811."""
    asked = question("a", predicted=predicted)
    assert words.why(asked.query).endswith(said)


def test_two_clips_that_people_disagree_about_are_looked_at_and_then_the_question_comes_back() -> None:
    sitting = Sitting(question("a"), question("b"))
    sitting.look()
    clips = Segment("x", 0, 5), Segment("y", 0, 5)
    dispute = Dispute(Conflict(clips, (("ann", 3),), (("bob", 7),)), ("/bags/x", "/bags/y"))
    sitting.press("unsafe")
    sitting.session.look_at(dispute)
    assert sitting.on_screen == "a", "what was begun is not lost"
    sitting.press("leave")
    sitting.session.look_at(dispute)
    assert sitting.session.question is not None and sitting.session.question.bags == dispute.bags
    sitting.look()
    sitting.press("left")
    sitting.session.questions(sitting.desk.questions())
    assert not sitting.desk.requests and sitting.session.query is not None and sitting.session.query.options == clips
    assert words.headline(sitting.session)[0] == "ann and bob disagree about these"
    assert [words.verdict(sitting.session, place) for place in (0, 1)] == ["better: ann", "better: bob"]
    sitting.press("undo")
    assert (sitting.on_screen, sitting.session.phase) == ("a", "loading") and not sitting.desk.requests
    sitting.session.look_at(dispute)
    assert sitting.session.query is not None
    sitting.session.unusable(sitting.session.query.id, "/bags/x is gone")
    assert sitting.on_screen == "a" and sitting.session.said == "These two cannot be shown: /bags/x is gone"
    sitting.look()
    sitting.press("left")
    sitting.store()
    assert (sitting.on_screen, sitting.session.progress.answered) == ("b", 1)


def test_the_budget_is_the_desks() -> None:
    sitting = Sitting()
    assert sitting.session.left() is None
    sitting.session.desk({"budget": 100.0, "answered": 30.0, "words": "The robot is collecting."})
    assert sitting.session.left() == 70


ACTIONS = ("left", "right", "equal", "skip", "undo", "unsafe", "leave", "reason 1", "give", "why", "rate 3", "success", "pick 1",
           "pick 2", "back", "tie", "frame on", "end", "play", "stop", "clear", "nonsense")


class AnySitting(RuleBasedStateMachine):
    """Whatever is pressed and whatever happens: what the window counts as answered is what the ledger holds."""

    def __init__(self) -> None:
        super().__init__()
        kinds = ("pair", "rating", "interval", "mark", "ranking", "pair")
        self.sitting = Sitting(*(question(f"q{n}", kinds[n % 6], clips=2 if kinds[n % 6] == "ranking" else None) for n in range(8)))
        self.sitting.now_does = Segment("policy-7", 0, 5)

    @rule(actions=st.lists(st.sampled_from(ACTIONS), max_size=6))
    def press(self, actions: list[str]) -> None:
        self.sitting.press(*actions)

    @rule(seconds=st.sampled_from((0.01, 0.3, 1.5)))
    def look(self, seconds: float) -> None:
        self.sitting.look(seconds)

    @rule()
    def store(self) -> None:
        self.sitting.store()

    @rule(gone=st.booleans(), trouble=st.sampled_from(("", "", "The disk is full.")))
    def change(self, gone: bool, trouble: str) -> None:
        self.sitting.desk.gone, self.sitting.desk.trouble = gone, trouble

    @rule(number=st.integers(0, 7))
    def withdraw(self, number: int) -> None:
        if not any(answer.given.query == f"q{number}" for answer in self.sitting.desk.stored()):
            self.sitting.desk.withdrawn.add(f"q{number}")

    @rule(there=st.booleans())
    def look_at(self, there: bool) -> None:
        clips = Segment("x", 0, 5), Segment("y", 0, 5)
        self.sitting.session.look_at(Dispute(Conflict(clips, (("a", 1),), (("b", 2),)), ("/x", "/y")) if there else None)

    @rule(number=st.integers(0, 7))
    def damage(self, number: int) -> None:
        self.sitting.session.unusable(f"q{number}", "damaged")

    @invariant()
    def what_is_told_is_true(self) -> None:
        session, stored = self.sitting.session, self.sitting.desk.stored()
        asked = [answer for answer in stored if answer.given.query]
        assert session.progress.answered <= sum(not isinstance(answer, Skip) for answer in asked)
        assert session.progress.answered >= 0 and session.progress.skipped >= 0
        assert session.query is None or session.query.id not in {one.query.id for one in session.upcoming}

    def teardown(self) -> None:
        self.sitting.desk.gone, self.sitting.desk.trouble = False, ""
        for _ in range(4):
            self.sitting.wait(2 * RETRY_S)
            self.sitting.store()
        progress, stored = self.sitting.session.progress, self.sitting.desk.stored()
        assert progress.answered == sum(bool(answer.given.query) and not isinstance(answer, Skip) for answer in stored)
        assert self.sitting.session.phase != "storing"


TestAnySitting = AnySitting.TestCase
TestAnySitting.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
