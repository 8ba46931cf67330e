"""The keys of the preference window: one table for each kind of question, which draws the help and the tooltips, too. No Qt."""

from __future__ import annotations

from collections.abc import Mapping

from rewardbot.feedback.feedback import LEVELS, Kind
from rewardbot.gui.preference_entry import REASONS
from rewardbot.teleop.bindings import Binding, refuse_clashes

SKIP = Binding("s", "skip: I cannot say (this is no tie)", "skip")

ANSWERS: Mapping[Kind, tuple[Binding, ...]] = {
    "pair": (
        Binding("1", "the left one is better", "left"),
        Binding("2", "the right one is better", "right"),
        Binding("3", "they are equally good", "equal"),
        SKIP),
    "ranking": (
        *(Binding(str(number), f"clip {number} is the next best", f"pick {number}") for number in range(1, 10)),
        Binding("t", "the next one shares the rank of the last", "tie"),
        Binding("Backspace", "take the last one out", "back"),
        Binding("Enter", "give the order", "give"),
        SKIP),
    "rating": (
        *(Binding(str(level), "the worst" if level == LEVELS[0] else "the best" if level == LEVELS[-1] else f"level {level}",
                  f"rate {level}") for level in LEVELS),
        SKIP),
    "mark": (
        Binding("y", "this frame shows success", "success"),
        Binding("n", "this frame does not", "failure"),
        SKIP),
    "interval": (Binding("s", "nothing unsafe, or I cannot say", "skip"),),
}

COMMON = (
    Binding("u", "undo the last answer", "undo"),
    Binding("Ctrl+z", "the same", "undo"),
    Binding("Space", "play or pause", "play"),
    Binding("Left", "back half a second", "scrub back"),
    Binding("Right", "on half a second", "scrub on"),
    Binding("Ctrl+Left", "one frame back", "frame back"),
    Binding("Ctrl+Right", "one frame on", "frame on"),
    Binding("Home", "to the beginning", "home"),
    Binding("End", "to the end", "end"),
    Binding("[", "slower", "slower"),
    Binding("]", "faster", "faster"),
    Binding("l", "loop or stop at the end", "loop"),
    Binding("b", "an unsafe interval begins here, then ends here", "unsafe"),
    Binding("Ctrl+b", "leave the unsafe interval out", "leave"),
    Binding("c", "free camera, for simulated episodes", "camera"),
    Binding("w", "why am I asked this?", "why"),
    Binding("v", "show or hide how the robot learns", "learning"),
    Binding("p", "show or hide who answers, and where they disagree", "people"),
    Binding("Esc", "Stop the robot", "stop"),
    Binding("Ctrl+r", "clear the Stop: the robot may move", "clear"),
    Binding("Ctrl+a", "clear the alarm: I have looked, learning goes on", "calm"),
    Binding("?", "show or hide these keys", "help"),
)

LOOKING = (Binding("u", "go back to the questions", "undo"),)
"""Instead of answers while two clips are looked at that people disagree about."""

TYPING = (
    *(Binding(str(number), reason, f"reason {number}") for number, reason in enumerate(REASONS, 1)),
    Binding("Enter", "store the interval", "give"),
    Binding("Ctrl+b", "leave it out", "leave"),
    Binding("Esc", "Stop the robot", "stop"),
)
"""While the reason of an unsafe interval is asked for. The digits count while nothing has been typed."""


def rows(kind: Kind | None, clips: int = 9) -> tuple[Binding, ...]:
    """All keys while a question of that kind about so many clips is on the screen, or none is."""
    return (*(answers(kind, clips) if kind else ()), *COMMON)


def answers(kind: Kind, clips: int = 9) -> tuple[Binding, ...]:
    """The keys that answer."""
    return tuple(row for row in ANSWERS[kind] if not row.action.startswith("pick") or int(row.key) <= clips)


for _kind in ANSWERS:
    refuse_clashes(rows(_kind))
refuse_clashes(TYPING)
