"""Stop in the preference window, what it marks by itself, and what is said at the end of what is not known to be stored."""

from __future__ import annotations

from rewardbot.feedback.feedback import Ranking, UnsafeInterval
from rewardbot.gui import preference_words as words
from rewardbot.gui.preference_outbox import RETRY_S
from rewardbot.types import Segment
from tests.gui.desk import question
from tests.gui.sitting import Sitting


def test_stop_works_in_every_state_and_without_a_robot_it_says_so() -> None:
    sitting = Sitting(question("a"))
    sitting.press("stop")
    sitting.look()
    sitting.press("unsafe", "unsafe", "stop", "clear")
    assert sitting.robot == ["stop", "stop", "clear"] and sitting.session.typing
    sitting = Sitting(robot=False)
    sitting.press("stop")
    assert "no robot here" in sitting.session.said


def test_a_stop_that_nobody_heard_is_asked_for_until_somebody_does_or_it_is_cleared() -> None:
    sitting = Sitting(question("a"))
    sitting.press("stop")
    sitting.wait(10.0)
    assert sitting.robot == ["stop"] and sitting.session.robot.stopping, "no second one while the first is on its way"
    for asked in (2, 3):
        sitting.session.robot.answered("stop", False)
        sitting.wait(RETRY_S + 0.1)
        assert sitting.robot == ["stop"] * asked
    sitting.session.robot.answered("stop", True)
    sitting.wait(10.0)
    assert sitting.robot == ["stop"] * 3 and not sitting.session.robot.stopping
    sitting.press("stop", "clear")
    sitting.session.robot.answered("stop", False)
    sitting.wait(10.0)
    assert sitting.robot[3:] == ["stop", "clear"]


def test_a_stop_marks_what_the_robot_did_before_as_unsafe_once_and_can_be_undone() -> None:
    sitting = Sitting(question("a"))
    sitting.look()
    sitting.press("stop")
    assert not sitting.desk.requests, "no episode runs"
    sitting.now_does = Segment("policy-7", 12, 32)
    sitting.press("stop", "stop")
    sitting.store()
    (answer,) = sitting.desk.stored()
    assert isinstance(answer, UnsafeInterval) and answer.segment == Segment("policy-7", 12, 32)
    assert (answer.reason, answer.given.annotator, answer.given.query) == ("the operator pressed Stop", "ann", "")
    assert "stored as unsafe; U undoes that" in sitting.session.said
    assert (sitting.on_screen, sitting.session.phase) == ("a", "asking") and sitting.robot == ["stop"] * 3
    sitting.now_does = Segment("policy-7", 40, 60)
    sitting.press("clear", "stop")
    sitting.store()
    assert len(sitting.desk.stored()) == 2, "the robot went on, and somebody stopped it again"
    sitting.press("undo")
    sitting.store()
    assert [one.segment.start for one in sitting.desk.stored() if isinstance(one, UnsafeInterval)] == [12]


def test_what_a_stop_marks_is_sent_until_it_is_stored_and_holds_nobody_up() -> None:
    sitting = Sitting(question("a"), question("b"))
    sitting.look()
    sitting.now_does, sitting.desk.gone = Segment("policy-7", 0, 5), True
    sitting.press("stop")
    sitting.desk.gone = False
    sitting.press("left")
    sitting.store()
    assert sitting.on_screen == "b" and [type(one) for one in sitting.desk.stored()] == [Ranking]
    sitting.wait(RETRY_S)
    sitting.store()
    assert [type(one) for one in sitting.desk.stored()] == [Ranking, UnsafeInterval]


def test_what_is_not_known_to_be_stored_is_named_at_the_end() -> None:
    sitting = Sitting(question("a", order=(1, 0)), question("b"))
    sitting.look()
    assert words.unconfirmed(sitting.session) == ""
    sitting.desk.gone, sitting.now_does = True, Segment("policy-7", 0, 5)
    sitting.press("right", "stop")
    assert words.unconfirmed(sitting.session) == (
        "Perhaps not stored: right to a; unsafe 0-5: the operator pressed Stop. The desk has not answered. Look, and say it again.")
    sitting.desk.gone, sitting.desk.trouble = False, "The disk is full.\n  Free some."
    sitting.wait(RETRY_S)
    sitting.store()
    assert "Perhaps not stored: right to a; unsafe 0-5: the operator pressed Stop. The disk is full. " in words.unconfirmed(
        sitting.session)
    sitting.desk.trouble = ""
    sitting.wait(RETRY_S)
    sitting.store()
    assert words.unconfirmed(sitting.session) == ""
    sitting.desk.gone = True
    sitting.press("undo")
    assert words.unconfirmed(sitting.session).startswith("Perhaps not stored: undo of ")


def test_a_skip_that_is_not_known_to_be_stored_is_named_too_unless_nobody_said_it() -> None:
    sitting = Sitting(question("a"), question("b"))
    sitting.desk.gone = True
    sitting.session.unusable("b", "it is damaged")
    assert not sitting.session.outbox.empty and not words.unconfirmed(sitting.session)
    sitting.look()
    sitting.press("skip")
    assert words.unconfirmed(sitting.session).startswith("Perhaps not stored: skip to a.")
