"""One clock for all clips on the screen: which time they show, how fast it runs, and where it goes. No Qt."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0)

SCRUB_S = 0.5
"""How far one press of an arrow goes [s]."""

LATE = 1e-6
"""Times closer than this are one [s]: those of clips are differences of large numbers."""


class Playback:
    """Plays clips beside each other. Times count from the beginning of each clip [s].

    Attributes:
        at: the time that is shown, 0 to `length`.
        playing, looping: whether it runs, and begins anew at the end.
    """

    def __init__(self) -> None:
        self.at, self.playing, self.looping = 0.0, False, True
        self._speed = SPEEDS.index(1.0)
        self._clips: list[Sequence[float]] = []

    @property
    def speed(self) -> float:
        """How many seconds of a clip pass in one."""
        return SPEEDS[self._speed]

    @property
    def length(self) -> float:
        """Of the longest clip [s]."""
        return max((times[-1] for times in self._clips), default=0.0)

    def act(self, what: str, way: str = "") -> None:
        """A key or a button of the clips, see `preference_keys`; any other does nothing."""
        match what:
            case "play":
                self.toggle()
            case "scrub":
                self.seek(self.at + (SCRUB_S if way == "on" else -SCRUB_S))
            case "frame":
                self.step(1 if way == "on" else -1)
            case "home":
                self.seek(0.0)
            case "end":
                self.seek(self.length)
            case "faster" | "slower":
                self.faster(1 if what == "faster" else -1)
            case "loop":
                self.looping = not self.looping
            case _:
                pass

    def load(self, clips: Sequence[Sequence[float]], *, playing: bool = True) -> None:
        """Other clips, from their beginning: the times of their frames, each rising from 0."""
        self._clips, self.at, self.playing = list(clips), 0.0, playing

    def frame(self, clip: int) -> int:
        """The frame of a clip that is shown: the newest that is not later than the time, so the last one after its end."""
        return max(0, bisect_right(self._clips[clip], self.at + LATE) - 1)

    def over(self, clip: int) -> bool:
        """Whether a clip has ended before the time that is shown, and holds its last frame."""
        return self.at > self._clips[clip][-1] + LATE

    def tick(self, seconds: float) -> None:
        """That much time has passed."""
        if not self.playing or not self.length:
            return
        self.at += seconds * self.speed
        if self.at > self.length:
            if self.looping:
                self.at %= self.length
            else:
                self.at, self.playing = self.length, False

    def toggle(self) -> None:
        """Plays or pauses; from the end it plays from the beginning."""
        self.playing = not self.playing
        if self.playing and self.at >= self.length - LATE:
            self.at = 0.0

    def seek(self, at: float) -> None:
        """Goes to a time and pauses there."""
        self.at, self.playing = min(max(at, 0.0), self.length), False

    def step(self, frames: int) -> None:
        """Goes so many frames on, or back, and pauses; where clips have frames at different times each one counts."""
        times = sorted({round(at, 6) for clip in self._clips for at in clip})
        if not times:
            return
        here = bisect_right(times, self.at + LATE) - 1
        between = self.at > times[here] + LATE
        self.seek(times[min(max(here + frames + (between and frames < 0), 0), len(times) - 1)])

    def faster(self, steps: int) -> None:
        """To the next speed of `SPEEDS`, or back."""
        self._speed = min(max(self._speed + steps, 0), len(SPEEDS) - 1)
