"""What the graph tells of the robot's safety. What nobody tells, or told too long ago, is unknown, never fine. No Qt.

Any node may tell in its metrics `stopped`, a number that is 0 unless the robot was stopped by software, and `estop`, the state of
the hardware's emergency stop in words, such as `released` or `pressed`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from rewardbot.gui.level import Level
from rewardbot.gui.metrics import Values
from rewardbot.gui.silence import SILENT_S

UNKNOWN = "unknown"


class Safety:
    """See the module.

    Args:
        clock: tells the time, one that nobody sets [s].
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: dict[str, dict[str, tuple[float, float | str]]] = {"stopped": {}, "estop": {}}

    def metrics(self, node: str, values: Values) -> None:
        """A node has told its metrics."""
        for key, told in self._told.items():
            if (value := values.get(key)) not in (None, ""):
                told[node] = self._clock(), value

    @property
    def stopped(self) -> bool | None:
        """Whether the robot was stopped by software, as far as is known; a Stop holds also when its node is silent."""
        if any(value not in (0.0, "false") for _, value in self._told["stopped"].values()):
            return True
        return False if self._fresh("stopped") else None

    @property
    def estop(self) -> tuple[str, Level]:
        """State of the hardware's emergency stop."""
        words = ", ".join(dict.fromkeys(map(str, self._fresh("estop"))))
        level: Level = "bad" if "pressed" in words else "plain" if words else "warning"
        return words or UNKNOWN, level

    def rows(self) -> list[tuple[str, str, Level]]:
        """A label, a text, and how much that matters."""
        stop: dict[bool | None, tuple[str, Level]] = {
            True: ("Stopped", "bad"), False: ("not stopped", "good"), None: (UNKNOWN, "warning")}
        return [("Stop", *stop[self.stopped]), ("hardware e-stop", *self.estop)]

    def _fresh(self, key: str) -> list[float | str]:
        now = self._clock()
        return [value for at, value in self._told[key].values() if now - at <= SILENT_S]
