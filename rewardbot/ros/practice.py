"""What a robot does next that shall learn by itself: demonstrate, pretrain, then explore and learn. No rclpy here.

It depends on nothing but what is there and what the nodes say they do, so that it comes out right whoever was started again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rewardbot.data.episodes import list_episodes, read_header
from rewardbot.errors import DataError

Step = Literal["", "wait", "demonstrate", "idle", "pretrain", "learn", "explore"]
"""Nothing, since it is being done; nothing can be done yet; or what to have done."""


@dataclass(frozen=True)
class Situation:
    """What can be seen.

    Attributes:
        demonstrations: successful ones in the run folder.
        learner: state of learner_node, empty while it is not heard.
        mode: of policy_node, empty while it is not heard.
    """

    demonstrations: int
    learner: str
    mode: str


def next_step(seen: Situation, wanted: int, *, operator: bool) -> Step:
    """What to do about a situation.

    Args:
        seen: the situation.
        wanted: demonstrations before pretraining.
        operator: there is a simulated one who can demonstrate; a person does it elsewhere.
    """
    if not seen.learner or not seen.mode:
        return "wait"
    if seen.learner == "waiting" and seen.demonstrations < wanted:
        if not operator:
            return "wait"
        return "" if seen.mode == "demonstrate" else "demonstrate"
    if seen.learner in ("waiting", "pretraining") and seen.mode != "idle":
        return "idle"
    if seen.learner == "waiting":
        return "pretrain"
    if seen.learner == "pretraining":
        return ""
    if seen.learner == "ready":
        return "learn"
    return "" if seen.mode == "explore" else "explore"


def progress(seen: Situation, wanted: int, learner: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """How far it is, in a line; empty where there is nothing to say.

    Args:
        seen: the situation.
        wanted: demonstrations before pretraining.
        learner, asked: what learner_node and preference_node published last.
    """
    if seen.learner == "waiting":
        return f"{seen.demonstrations} of {wanted} demonstrations"
    if seen.learner == "pretraining":
        return f"pretraining {float(learner.get('progress', 0.0)):.0%} | {learner.get('stage', '')}"
    if seen.learner != "learning":
        return ""

    def number(of: Mapping[str, Any], key: str) -> str:
        return f"{float(of.get(key, 0)):.0f}"

    parts = [f"{number(learner, 'env_steps')} steps, {number(learner, 'episodes')} episodes"]
    if "budget" in asked:
        parts.append(f"{number(asked, 'answered')} of {number(asked, 'budget')} answers, {number(asked, 'waiting')} questions wait")
    if learner.get("reward_version"):
        parts.append(f"reward version {number(learner, 'reward_version')}")
    return " | ".join(parts)


class Demonstrations:
    """Counts the successful demonstrations in a folder; each bag is read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._successes: dict[Path, bool] = {}

    def count(self) -> int:
        """How many there are now. One that cannot be read is none; pretraining says what is the matter with it."""
        if not self._folder.is_dir():
            return 0
        bags = list_episodes(self._folder)
        for bag in bags:
            if bag not in self._successes:
                try:
                    self._successes[bag] = read_header(bag).info.success is True
                except DataError:
                    self._successes[bag] = False
        return sum(self._successes[bag] for bag in bags)
