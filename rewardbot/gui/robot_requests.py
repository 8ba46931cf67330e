"""What a person at the preference window asks of the robot, and what a Stop says of the steps before it. No Qt."""

from __future__ import annotations

import math
from collections.abc import Callable

from rewardbot.gui.preference_outbox import RETRY_S
from rewardbot.types import Segment


class RobotRequests:
    """See the module. A Stop that nobody has heard is asked for again and again, until somebody does or it is cleared.

    Args:
        stop, clear, calm, just_now: see `PreferenceSession`.
        clock: tells the time, one that nobody sets [s].

    Attributes:
        stopping: a Stop was asked for, and nobody has heard it yet.
    """

    def __init__(
        self, stop: Callable[[], None] | None, clear: Callable[[], None] | None, calm: Callable[[], None] | None,
        just_now: Callable[[], Segment | None], clock: Callable[[], float],
    ) -> None:
        self._asks = {"stop": stop, "clear": clear, "calm": calm}
        self._just_now, self._clock = just_now, clock
        self.stopping, self._again = False, math.inf
        self._marked_in = ""

    @property
    def there(self) -> bool:
        """Whether there is a robot to stop."""
        return self._asks["stop"] is not None

    def ask(self, what: str) -> bool:
        """Asks for `stop`, `clear` or `calm`; False where there is nobody to ask."""
        ask = self._asks[what]
        if what != "calm":
            self.stopping, self._again = what == "stop" and ask is not None, math.inf
        if what == "clear":
            self._marked_in = ""
        if ask is not None:
            ask()
        return ask is not None

    def answered(self, what: str, done: bool) -> None:
        """What came of asking."""
        if what == "stop" and self.stopping:
            self.stopping, self._again = not done, self._clock() + RETRY_S

    def beat(self) -> None:
        """Time goes on."""
        if self.stopping and self._clock() >= self._again:
            self.ask("stop")

    def unsafe(self) -> Segment | None:
        """What the robot did before a Stop that is pressed now; None after the first Stop, until that is cleared or another episode
        runs.
        """
        did = self._just_now()
        if did is None or did.episode_id == self._marked_in:
            return None
        self._marked_in = did.episode_id
        return did
