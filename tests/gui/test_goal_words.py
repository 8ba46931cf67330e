"""What the window for labelling a goal says."""

from __future__ import annotations

import numpy as np
import pytest

from rewardbot.errors import ConfigError
from rewardbot.gui.goal_questions import Question
from rewardbot.gui.goal_session import State
from rewardbot.gui.goal_words import KEYS, At, accuracy, advice, headline, questions, verdict
from rewardbot.gui.keys import KeyTable
from rewardbot.teleop.bindings import Binding
from rewardbot.training.held_out import HeldOut

ASKING = State(probability=0.4, questions=tuple(Question(n, {"front": np.zeros((2, 2, 3), np.uint8)}, 0.0, 0.5) for n in (7, 8)))


@pytest.mark.parametrize(("at", "silent", "said"), [
    (At(), {}, "Hold  G  while the goal is visible,  N  while it is not"),
    (At(held=True), {}, "\u25cf  Taking pictures WITH the goal"),
    (At(held=False), {}, "\u25cb  Taking pictures WITHOUT the goal"),
    (At(), {"front": 2.1, "wrist": 7.4}, "No picture from camera 'wrist' for 7 s"),
    (At(), {"front": float("inf")}, "No picture from camera 'front' yet"),
    (At(asked=True, place=2), {"front": 9.0}, "Question 2 of 2:  G goal visible,  N not,  X leave it out,  L live picture"),
    (At(asked=True), {}, "No more questions now.  L live picture"),
])
def test_the_headline_says_what_to_do_now(at: At, silent: dict[str, float], said: str) -> None:
    assert headline(ASKING, at, silent)[0] == said


def test_the_classifier_is_never_called_good_without_a_reason() -> None:
    assert advice(State(refusal="Too few.")) == ("Too few.", "warning")
    assert advice(State()) == ("Good enough to be used. S saves it.", "good")
    assert advice(State(saved=True)) == ("Good enough to be used, and saved.", "good")
    assert accuracy(State()) == "not known yet" and accuracy(State(training=True)) == "being checked"
    found = HeldOut(0.9, 0.7, 0.98)
    assert accuracy(State(held_out=found)) == "90% (70% to 98%)"
    assert accuracy(State(held_out=found, training=True)) == "90% (70% to 98%), checking anew"


def test_a_probability_and_questions_in_words() -> None:
    assert verdict(None) == "No classifier yet"
    assert verdict(0.83) == "\u25cf Goal visible:  0.83" and verdict(0.5) == "\u25cb Goal not visible:  0.50"
    assert questions(State(), At()) == ""
    assert questions(State(probability=0.1), At()) == "When it is unsure about a picture, it asks here."
    assert questions(ASKING, At()) == "It is unsure about 2 pictures.  Right arrow: answer them"
    assert questions(ASKING, At(asked=True, place=1)) == "It is unsure about 2 pictures"


def test_one_table_of_keys() -> None:
    assert KeyTable(KEYS).key("undo") == "U" and KeyTable(KEYS).key("stop") == "Esc"
    with pytest.raises(ConfigError, match="key 'g' is bound to 'goal' and 'help'"):
        KeyTable([*KEYS, Binding("g", "something else", "help")])
