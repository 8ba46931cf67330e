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
    """

    def __init__(self, session: TeleopSession, bindings: Bindings, cameras: tuple[str, ...]) -> None:
        super().__init__()
        self._session = session
        self.setWindowTitle("rewardbot: teleoperation")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.views = {name: CameraView(name) for name in cameras}
        self._releases: dict[str, QTimer] = {}
        self._labels: list[tuple[QLabel, QLabel]] = []
        self._rows = QGridLayout()
        self._rows.setColumnStretch(1, 1)
        keys = QLabel(bindings.help())
        keys.setFont(theme.fixed_font())
        stop = QPushButton("Stop")
        stop.setToolTip("the arm holds until it is cleared")
        stop.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the keys are for driving
        stop.setMinimumHeight(48)
        stop.clicked.connect(lambda: session.ask("stop"))
        side, whole = QVBoxLayout(), QHBoxLayout(self)
        side.addLayout(self._rows)
        side.addStretch(1)
        side.addWidget(keys)
        side.addWidget(stop)
        for view in self.views.values():
            whole.addWidget(view, 1)
        whole.addLayout(side)
        self.resize(1180, 600)
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
            pair[1].setMinimumWidth(300)
            for column, label in enumerate(pair):
                self._rows.addWidget(label, len(self._labels), column, Qt.AlignmentFlag.AlignTop)
            self._labels.append(pair)
        for index, (name, text) in enumerate(self._labels):
            row = rows[index] if index < len(rows) else None
            name.setText(row.label if row else "")
            text.setText(theme.SIGNS[row.level] + row.text if row else "")
            text.setStyleSheet(f"color: {theme.COLOURS[row.level]}" if row else "")

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
