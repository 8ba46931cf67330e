"""The robot's control ticks, as a commander hears of them. No rclpy here."""

from __future__ import annotations

from bisect import bisect_left


class RobotTicks:
    """Counts control periods by the robot's joint states, which it sends reliably, in order and once per control tick.

    What an episode did is counted by these ticks and not by commands: in real time a command may come too late for its
    tick, and the robot holds for that one.

    Attributes:
        silent_s: for how long nothing was heard [s], as far as `waited` was told; infinite before the first time.
    """

    def __init__(self) -> None:
        self.silent_s = float("inf")
        self._stamps: list[int] = []
        self._sent: list[int] = []
        self._number: int | None = None

    def add(self, stamp: int, sent_ns: int, number: int | None) -> bool:
        """Takes a joint state; a repetition counts once.

        Args:
            stamp: its stamp [ns].
            sent_ns: the time of sending [ns].
            number: counts what this publisher sent; None where the middleware does not count.

        Returns:
            Whether it comes from a robot that was started again since the one before: its stamp or its number went back.
        """
        again = bool(self._stamps) and stamp < self._stamps[-1]
        again |= number is not None and self._number is not None and number < self._number
        if again:
            self._stamps.clear()
            self._sent.clear()
        self._number, self.silent_s = number, 0.0
        if not self._stamps or stamp > self._stamps[-1]:
            self._stamps.append(stamp)
            self._sent.append(sent_ns)
        return again

    @property
    def newest(self) -> int | None:
        """Stamp of the newest tick [ns]."""
        return self._stamps[-1] if self._stamps else None

    def waited(self, seconds: float) -> None:
        """Time went by in which joint states would have been taken."""
        self.silent_s += seconds

    def forget(self) -> None:
        """Before an episode: forgets all ticks but the newest, so that the list does not grow over a run."""
        del self._stamps[:-1], self._sent[:-1]

    def count(self, start: int, stop: int) -> int:
        """Number of ticks in [start, stop), by their stamps [ns]."""
        return bisect_left(self._stamps, stop) - bisect_left(self._stamps, start)

    def sent(self, stamp: int) -> int:
        """When the joint state of `stamp` was sent [ns]; it must be one of the ticks that are known."""
        return self._sent[bisect_left(self._stamps, stamp)]
