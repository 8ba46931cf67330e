"""How the robot learns, as it is told on the graph or by a desk in this process: what the learning view draws. No Qt."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rewardbot.data.decode import EpisodeEvent
from rewardbot.feedback.messages import Questions
from rewardbot.feedback.people import People
from rewardbot.gui import people_words
from rewardbot.gui.level import Level
from rewardbot.gui.metrics import Values, number
from rewardbot.gui.safety import Safety
from rewardbot.gui.silence import SILENT_S, lasting

KEPT, SMOOTHED = 2000, 20
"""Points of a curve that are kept, and episodes over which success is averaged."""

Row = tuple[str, str, Level]
"""A label, a text, and how much that matters."""


class Learning:
    """See the module.

    Args:
        clock: tells the time, one that nobody sets [s].
        robot: there is one, whose safety is told of.

    Attributes:
        probability: of the goal in the newest picture; None before a classifier says so.
        rewards: of the steps of the clips that are asked about, by the reward that asked, (N,).
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, robot: bool = True) -> None:
        self._clock, self._began, self._robot = clock, clock(), robot
        self.probability: float | None = None
        self.rewards: NDArray[np.float64] = np.zeros(0)
        self._curves: dict[str, deque[tuple[float, float]]] = {}
        self._verdicts: dict[str, bool] = {}
        self._nodes: dict[str, tuple[float, Values]] = {}
        self._desk: Values = {}
        self._safety = Safety(clock)
        self._people = People()
        self._kinds: dict[str, int] = {}
        self._closed: deque[str] = deque(maxlen=3)

    # In ------------------------------------------------------------------------------------------------------------------

    def metrics(self, node: str, values: Values) -> None:
        """A node has told its metrics."""
        self._nodes[node] = self._clock(), values
        self._safety.metrics(node, values)
        if node == "learner_node":
            self._point("reward", number(values, "reward"))
        elif node == "classifier_node" and (of := number(values, "goal_probability")) is not None:
            self.probability = min(max(of, 0.0), 1.0)
        elif node == "preference_node":
            self.desk(values)

    def desk(self, values: Values) -> None:
        """A desk has told how things are, see `messages.STATUS`."""
        self._desk = values
        self._point("accuracy", number(values, "accuracy" if "accuracy" in values else "reward_accuracy"))

    def episode(self, event: EpisodeEvent) -> None:
        """An episode ended, or was judged later."""
        if event.kind in ("end", "verdict") and event.info.success is not None and event.info.source != "demonstration":
            self._verdicts[event.info.id] = event.info.success
            last = list(self._verdicts.values())[-SMOOTHED:]
            self._point("success", sum(last) / len(last))

    def people(self, people: People) -> None:
        """Who has answered."""
        self._people = people

    def questions(self, questions: Questions) -> None:
        """What waits for answers."""
        self._kinds = {}
        for one in questions.open:
            self._kinds[one.query.kind] = self._kinds.get(one.query.kind, 0) + 1
        found = [reward for one in questions.open for clip in one.rewards for reward in clip if math.isfinite(reward)]
        self.rewards = np.array(found) if found else self.rewards

    # Out -----------------------------------------------------------------------------------------------------------------

    def curve(self, name: str) -> tuple[list[float], list[float]]:
        """Minutes since the beginning, and values; of `success`, `reward` or `accuracy`."""
        points = self._curves.get(name, ())
        return [minutes for minutes, _ in points], [value for _, value in points]

    def rows(self) -> list[Row]:
        """The queue of questions, who answers them, the meter, the alarm, the nodes' rates and the state of safety."""
        desk = self._desk
        waiting = ", ".join(f"{count} {kind}" for kind, count in self._kinds.items()) or "none"
        found: list[Row] = [("questions", waiting, "plain")]
        if words := desk.get("words"):
            found.append(("desk", str(words), "plain"))
        if self._people.people:
            found.append(("people", people_words.short(self._people), "plain"))
        version, fitted = number(desk, "reward_version"), number(desk, "reward_answers")
        found.append(("reward", (f"version {version:g}" + (f", from {fitted:g} answers" if fitted is not None else ""))
                      if version else "none yet", "plain"))
        if (meter := desk.get("meter")) not in (None, ""):
            found.append(("enough?", f"bound on the regret {meter:.3g}" if isinstance(meter, float) else str(meter), "plain"))
        if (alarm := desk.get("alarm")) is not None:
            found.append(("alarm", "the reward is frozen", "bad") if alarm else ("alarm", "none", "good"))
        return [*found, *(self._safety.rows() if self._robot else ()), *self._rates()]

    def _rates(self) -> list[Row]:
        now = self._clock()

        def said(at: float, values: Values) -> tuple[str, Level]:
            if now - at > SILENT_S:
                return f"silent for {lasting(now - at)}", "warning"
            rate = f"{number(values, 'rate_hz') or 0.0:.1f} Hz"
            return (f"{rate}, waits for {waited}", "warning") if (waited := values.get("waiting_for")) else (rate, "plain")

        return [(name, *said(at, values)) for name, (at, values) in sorted(self._nodes.items())]

    def _point(self, name: str, value: float | None) -> None:
        if value is not None:
            curve = self._curves.setdefault(name, deque(maxlen=KEPT))
            if not curve or curve[-1][1] != value:
                curve.append(((self._clock() - self._began) / 60.0, value))
