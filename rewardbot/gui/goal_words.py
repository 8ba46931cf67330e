"""What the window for labelling a goal says, in words. No Qt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rewardbot.gui.goal_session import State
from rewardbot.gui.level import Level
from rewardbot.rewards.goal_classifier import THRESHOLD
from rewardbot.teleop.bindings import Binding

GOAL_SIGN, OTHER_SIGN = "\u25cf", "\u25cb"
"""A full and an empty circle: which of the two kinds, without a colour."""

KEYS = (
    Binding("g", "hold it while the goal is visible", "goal"),
    Binding("n", "hold it while the goal is not visible", "other"),
    Binding("Right", "next question: then G and N answer that picture", "next"),
    Binding("Left", "question before", "before"),
    Binding("x", "leave the question out", "leave"),
    Binding("l", "back to the live picture", "live"),
    Binding("u", "undo the last key press or answer", "undo"),
    Binding("Ctrl+z", "the same", "undo"),
    Binding("s", "save the classifier; pictures are saved as they come", "save"),
    Binding("Esc", "Stop the robot", "stop"),
    Binding("?", "show or hide these keys", "help"),
)


@dataclass(frozen=True)
class At:
    """Where the person is.

    Attributes:
        held: the kind whose key is held.
        asked: at the questions, and not at the live picture.
        place: of the question that is looked at, from 1; 0 for none.
    """

    held: bool | None = None
    asked: bool = False
    place: int = 0


def headline(state: State, at: At, silent: Mapping[str, float]) -> tuple[str, Level]:
    """What to do now; `silent` are cameras and for how long they have given no picture [s], infinite if never."""
    if at.asked:
        if not at.place:
            return "No more questions now.  L live picture", "plain"
        return f"Question {at.place} of {len(state.questions)}:  G goal visible,  N not,  X leave it out,  L live picture", "plain"
    if silent:
        name, seconds = max(silent.items(), key=lambda item: item[1])
        return (f"No picture from camera '{name}' yet" if seconds == float("inf") else
                f"No picture from camera '{name}' for {seconds:.0f} s", "bad")
    if at.held is not None:
        return f"{GOAL_SIGN if at.held else OTHER_SIGN}  Taking pictures {'WITH' if at.held else 'WITHOUT'} the goal", "plain"
    return "Hold  G  while the goal is visible,  N  while it is not", "plain"


def advice(state: State) -> tuple[str, Level]:
    """What the classifier lacks, or that it is good."""
    if state.refusal:
        return state.refusal, "warning"
    return ("Good enough to be used, and saved." if state.saved else "Good enough to be used. S saves it."), "good"


def accuracy(state: State) -> str:
    """Held-out accuracy with its interval."""
    if state.held_out is None:
        return "being checked" if state.training else "not known yet"
    return f"{state.held_out}{', checking anew' if state.training else ''}"


def verdict(probability: float | None) -> str:
    """What the classifier thinks of a picture."""
    if probability is None:
        return "No classifier yet"
    return f"{f'{GOAL_SIGN} Goal visible' if probability > THRESHOLD else f'{OTHER_SIGN} Goal not visible'}:  {probability:.2f}"


def questions(state: State, at: At) -> str:
    """The line above the questions."""
    if not state.questions:
        return "When it is unsure about a picture, it asks here." if state.probability is not None else ""
    asked, them = ("picture", "it") if len(state.questions) == 1 else ("pictures", "them")
    return f"It is unsure about {len(state.questions)} {asked}" + ("" if at.asked else f".  Right arrow: answer {them}")
