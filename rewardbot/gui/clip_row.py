"""The clips of a question beside each other: whose frames are shown, what stands around them, and a free camera in their place."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from PyQt5.QtCore import QObject, pyqtSignal
from PyQt5.QtGui import QResizeEvent
from PyQt5.QtWidgets import QHBoxLayout, QWidget

from rewardbot.feedback.messages import Question
from rewardbot.gui import preference_words as words
from rewardbot.gui import theme
from rewardbot.gui.clips import Clip
from rewardbot.gui.free_camera import FreeCamera, Pose
from rewardbot.gui.preference_parts import ClipView
from rewardbot.gui.preference_session import PreferenceSession

GAP = 12
"""Between clips [px]."""


class ClipRow(QWidget):
    """See the module.

    Args:
        looks: colours.
        text: size of the clips' names [px].
        keys: gets the keys of whichever clip has the focus.

    Attributes:
        views: the clips, by place.

    Signals: `painted` when one is on the screen anew; `chosen(place)`; `trouble(text)` why there is no free camera.
    """

    painted = pyqtSignal()
    chosen = pyqtSignal(int)
    trouble = pyqtSignal(str)
    _drawn_free = pyqtSignal(str, int, object)
    _not_free = pyqtSignal(str, str)

    def __init__(self, looks: theme.Looks, text: int, keys: QObject) -> None:
        super().__init__()
        self._looks, self._text, self._keys = looks, text, keys
        self._question: Question | None = None
        self.views: list[ClipView] = []
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(GAP)
        self._free, self._pose = False, Pose()
        self._drawn: tuple[int, ...] = ()
        self._camera = FreeCamera(self._drawn_free.emit, self._not_free.emit)
        self._drawn_free.connect(self._on_free)
        self._not_free.connect(self._on_no_free)

    @property
    def complete(self) -> bool:
        """Whether every clip has a picture."""
        return all(view.has_picture for view in self.views)

    def show_question(self, question: Question | None) -> None:
        """Places for the clips of another question; they are empty until `show_clips`."""
        self._question, self._free = question, False
        count = len(question.query.options) if question else 0
        while len(self.views) > count:
            view = self.views.pop()
            self._row.removeWidget(view)
            view.setParent(None)  # type: ignore[call-overload]
            view.deleteLater()
        while len(self.views) < count:
            view = ClipView(self._looks, self._text, partial(self.chosen.emit, len(self.views)))
            view.installEventFilter(self._keys)
            view.painted.connect(self.painted)
            view.turned.connect(lambda right, down: self._look_from(self._pose.turned(right, down)))
            view.zoomed.connect(lambda steps: self._look_from(self._pose.nearer(steps)))
            self.views.append(view)
            self._row.addWidget(view, 1)
        self.resizeEvent(None)
        self.show_clips([None] * count)

    def resizeEvent(self, a0: QResizeEvent | None) -> None:
        for view in self.views:
            view.take_share((self.width() - GAP * (len(self.views) - 1)) // len(self.views))

    def show_clips(self, clips: Sequence[Clip | None]) -> None:
        """The clips, by place."""
        for view, clip in zip(self.views, clips, strict=True):
            view.show_clip(clip)

    def show_frames(self, session: PreferenceSession) -> None:
        """Of each clip the frame of the time that it is."""
        play = session.playback
        shown = tuple(play.frame(number) for number in range(len(self.views)))
        if self._free and shown != self._drawn and self._question is not None:
            self._drawn = shown
            self._camera.want(self._question, shown, self._pose)
        for number, view in enumerate(self.views):
            view.show_frame(shown[number], over=play.over(number))

    def describe(self, session: PreferenceSession) -> None:
        """What stands around the clips."""
        question = session.question
        if question is None:
            return
        query, interval = question.query, session.interval
        all_rewards = [reward for clip in question.rewards for reward in clip] if session.why else []
        between = min(all_rewards, default=0.0), max(all_rewards, default=0.0)
        for number, view in enumerate(self.views):
            unsafe = interval is not None and interval.place == number
            if interval is not None and unsafe and session.phase == "asking":
                first, last = interval.span(session.playback.frame(number))
                unsafe = first <= session.playback.frame(number) <= last
            rewards = question.rewards[query.order[number]] if session.why and question.rewards else ()
            title = words.place(number, len(self.views)) if len(self.views) > 1 else query.options[0].episode_id
            view.describe(title, words.verdict(session, number), unsafe=unsafe, rewards=rewards, between=between,
                          selected=len(self.views) > 1 and session.chosen == number and interval is not None)

    def turn_free(self, *, may: bool) -> None:
        """The free camera instead of those of the recording, if it `may` be, and back."""
        self._free, self._drawn = not self._free and may, ()
        for view in self.views:
            view.show_free(None, soon=self._free)

    def close_camera(self) -> None:
        """Ends what draws for the free camera."""
        self._camera.close()

    def _look_from(self, pose: Pose) -> None:
        self._pose, self._drawn = pose, ()

    def _on_free(self, query: str, place: int, pixels: Any) -> None:
        if self._free and self._question is not None and self._question.query.id == query:
            self.views[place].show_free(pixels)

    def _on_no_free(self, query: str, why: str) -> None:
        if self._free:
            self.trouble.emit(f"No free camera: {why}")
            self.turn_free(may=False)
