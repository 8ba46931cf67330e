"""The looks of the teleoperation window: camera views, the state of things, the keys, and Stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from PyQt5.QtCore import QEvent, Qt, QTimer
from PyQt5.QtGui import QCloseEvent, QFocusEvent, QKeyEvent
from PyQt5.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from rewardbot.gui import theme
from rewardbot.gui.camera_view import CameraView
from rewardbot.gui.key_help import KeyList
from rewardbot.gui.keys import key_name
from rewardbot.gui.teleop_session import TeleopSession
from rewardbot.teleop.bindings import Bindings

BEAT_MS, REFRESH_MS = 50, 100

RELEASE_MS = 20
"""Time after which a key that went up is up. On X11 a held key goes up and down again and again, and Qt does not always see that."""


class TeleopWidget(QWidget):
    """The window.

    Args:
        session: what it does.
        bindings: its keys, to be shown.
        cameras: names.
        looks: colours.
        scale: of all texts.
    """

    def __init__(self, session: TeleopSession, bindings: Bindings, cameras: tuple[str, ...], looks: theme.Looks = theme.DARK,
                 *, scale: float = 1.0) -> None:
        super().__init__()
        self._session, self._looks = session, looks
        text = round(15 * scale)
        self.setStyleSheet(theme.sheet(looks, text))
        self.setWindowTitle("rewardbot: teleoperation")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.views = {name: CameraView(name, round(13 * scale)) for name in cameras}
        self._releases: dict[str, QTimer] = {}
        self._labels: list[tuple[QLabel, QLabel]] = []
        self._rows = QGridLayout()
        self._rows.setColumnStretch(1, 1)
        self._rows.setHorizontalSpacing(14)
        self._estop = QLabel()
        self._estop.setWordWrap(True)
        stop = QPushButton(f"Stop ({session.key_of('stop')})")
        stop.setObjectName("stop")
        stop.setToolTip("the arm holds until it is cleared")
        stop.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the keys are for driving
        stop.setMinimumHeight(round(48 * scale))
        stop.clicked.connect(lambda: session.ask("stop"))
        panel, safety, whole = QWidget(), QHBoxLayout(), QHBoxLayout(self)
        panel.setFixedWidth(round(400 * scale))
        side = QVBoxLayout(panel)
        side.setContentsMargins(0, 0, 0, 0)
        side.addLayout(self._rows)
        side.addStretch(1)
        side.addWidget(KeyList(bindings.rows, round(13 * scale)))
        side.addSpacing(10)
        safety.addWidget(self._estop, 1)
        safety.addWidget(stop, 1)
        side.addLayout(safety)
        whole.setContentsMargins(16, 12, 16, 12)
        whole.setSpacing(12)
        whole.setSizeConstraint(QHBoxLayout.SizeConstraint.SetNoConstraint)  # a longer text does not move the window
        for view in self.views.values():
            whole.addWidget(view, 1)
        whole.addWidget(panel)
        self.setMinimumSize(1000, 640)
        self.resize(1280, 720)
        self._every(BEAT_MS, session.beat)
        self._every(REFRESH_MS, self._refresh)
        self._refresh()

    def _every(self, milliseconds: int, do: Callable[[], None]) -> None:
        timer = QTimer(self)
        timer.timeout.connect(do)
        timer.start(milliseconds)

    def _refresh(self) -> None:
        rows = self._session.rows(time.monotonic())
        while len(self._labels) < len(rows):
            pair = QLabel(), QLabel()
            pair[1].setWordWrap(True)
            pair[0].setStyleSheet(f"color: {self._looks.soft}")
            for column, label in enumerate(pair):
                label.setTextFormat(Qt.TextFormat.PlainText)
                self._rows.addWidget(label, len(self._labels), column, Qt.AlignmentFlag.AlignTop)
            self._labels.append(pair)
        for index, (name, text) in enumerate(self._labels):
            row = rows[index] if index < len(rows) else None
            name.setText(row.label if row else "")
            text.setText(theme.SIGNS[row.level] + row.text if row else "")
            text.setStyleSheet(f"color: {self._looks.colours[row.level]}" if row else "")
        estop, level = self._session.safety.estop
        self._estop.setText(f"hardware e-stop:\n{theme.SIGNS[level]}{estop}")
        self._estop.setStyleSheet(f"color: {self._looks.colours[level]}")

    # Keys ----------------------------------------------------------------------------------------------------------------

    def keyPressEvent(self, a0: QKeyEvent | None) -> None:
        assert a0 is not None
        if a0.isAutoRepeat():
            return
        name = key_name(a0)
        if name in self._releases and self._releases[name].isActive():
            self._releases[name].stop()  # it was never up
        elif not self._session.key(name, down=True):
            a0.ignore()

    def keyReleaseEvent(self, a0: QKeyEvent | None) -> None:
        assert a0 is not None
        if a0.isAutoRepeat():
            return
        name = key_name(a0)
        if name not in self._releases:
            self._releases[name] = timer = QTimer(self)
            timer.setSingleShot(True)
            timer.timeout.connect(partial(self._up, name))
        self._releases[name].start(RELEASE_MS)

    def _up(self, name: str) -> None:
        self._session.key(name, down=False)

    def focusOutEvent(self, a0: QFocusEvent | None) -> None:
        self._release_all()

    def changeEvent(self, a0: QEvent | None) -> None:
        if a0 is not None and a0.type() == QEvent.Type.ActivationChange and not self.isActiveWindow():
            self._release_all()

    def closeEvent(self, a0: QCloseEvent | None) -> None:
        self._release_all()

    def _release_all(self) -> None:
        for timer in self._releases.values():
            timer.stop()
        self._session.release()
