"""The looks of the teleoperation window: camera views, the state of things, the keys, and Stop."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PyQt5.QtCore import QEvent, QSize, Qt, QTimer
from PyQt5.QtGui import QCloseEvent, QFocusEvent, QImage, QKeyEvent, QPainter, QPaintEvent
from PyQt5.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from rewardbot.gui import theme
from rewardbot.gui.teleop_session import TeleopSession
from rewardbot.teleop.bindings import Bindings

BEAT_MS, REFRESH_MS = 50, 100

_NAMES = {Qt.Key.Key_Space: "Space", Qt.Key.Key_Return: "Enter", Qt.Key.Key_Enter: "Enter", Qt.Key.Key_Escape: "Esc",
          Qt.Key.Key_Backspace: "Backspace", Qt.Key.Key_Tab: "Tab", Qt.Key.Key_Up: "Up", Qt.Key.Key_Down: "Down",
          Qt.Key.Key_Left: "Left", Qt.Key.Key_Right: "Right"}


class CameraView(QWidget):
    """The newest image of a camera, as large as there is room."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name, self._image = name, QImage()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(f"camera {name}")

    def show_pixels(self, pixels: NDArray[np.uint8]) -> None:
        """Shows an RGB image, uint8 (H, W, 3)."""
        height, width, _ = pixels.shape
        self._image = QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(420, 420)

    def paintEvent(self, a0: QPaintEvent | None) -> None:
        painter = QPainter(self)
        if self._image.isNull():
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, f"no image of {self._name} yet")
        else:
            fitted = self._image.scaled(
                self.size(), Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation)
            painter.drawImage((self.width() - fitted.width()) // 2, (self.height() - fitted.height()) // 2, fitted)
        painter.drawText(6, 16, self._name)


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
        self._timers = [self._every(BEAT_MS, session.beat), self._every(REFRESH_MS, self._refresh)]
        self._refresh()

    def _every(self, milliseconds: int, do: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.timeout.connect(do)
        timer.start(milliseconds)
        return timer

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
        self._key(a0, down=True)

    def keyReleaseEvent(self, a0: QKeyEvent | None) -> None:
        self._key(a0, down=False)

    def _key(self, event: QKeyEvent | None, *, down: bool) -> None:
        assert event is not None
        if not event.isAutoRepeat() and not self._session.key(key_name(event), down=down):
            event.ignore()

    def focusOutEvent(self, a0: QFocusEvent | None) -> None:
        self._session.release()

    def changeEvent(self, a0: QEvent | None) -> None:
        if a0 is not None and a0.type() == QEvent.Type.ActivationChange and not self.isActiveWindow():
            self._session.release()

    def closeEvent(self, a0: QCloseEvent | None) -> None:
        self._session.release()


def key_name(event: QKeyEvent) -> str:
    """What the key is called in tables of bindings, whatever Shift says."""
    key = event.key()
    return _NAMES.get(Qt.Key(key)) or (chr(key).lower() if 0x20 < key < 0x100 else "")
