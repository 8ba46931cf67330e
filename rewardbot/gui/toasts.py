"""Short messages in the lower right corner of a window that go away by themselves."""

from __future__ import annotations

from PyQt5.QtCore import QEvent, Qt, QTimer
from PyQt5.QtWidgets import QLabel, QVBoxLayout, QWidget

from rewardbot.gui import theme
from rewardbot.gui.level import Level

SHOWN_MS = 4000
MARGIN, WIDTH = 16, 420


class Toasts(QWidget):
    """Belongs to a window and stays in its corner.

    Args:
        window: whose they are.
        looks: colours.
        text: size of texts [px]; 0: that of the window.
    """

    def __init__(self, window: QWidget, looks: theme.Looks = theme.DARK, text: int = 0) -> None:
        super().__init__(window)
        self._looks, self._text = looks, text
        self._stack = QVBoxLayout(self)
        self._stack.setContentsMargins(0, 0, 0, 0)
        self._shown: list[Toast] = []
        window.installEventFilter(self)
        self.hide()

    def say(self, text: str, level: Level = "plain") -> None:
        """Shows a message; the same one again counts instead."""
        if (same := next((toast for toast in self._shown if toast.said == (text, level)), None)) is not None:
            same.again()
            return
        toast = Toast(text, level, self, self._looks, self._text)
        self._shown.append(toast)
        self._stack.addWidget(toast)
        self.show()
        self.place()

    def texts(self) -> list[str]:
        """What is shown now, oldest first."""
        return [toast.text() for toast in self._shown]

    def drop(self, toast: Toast) -> None:
        """Takes one away."""
        self._shown.remove(toast)
        self._stack.removeWidget(toast)
        toast.deleteLater()
        self.setVisible(bool(self._shown))
        self.place()

    def place(self) -> None:
        """Into the corner, above everything else."""
        window = self.parentWidget()
        assert window is not None
        self.setFixedWidth(min(WIDTH, window.width() - 2 * MARGIN))
        self.adjustSize()
        self.move(window.width() - self.width() - MARGIN, window.height() - self.height() - MARGIN)
        self.raise_()

    def eventFilter(self, a0: object, a1: QEvent | None) -> bool:
        """Follows the window's corner."""
        if a1 is not None and a1.type() == QEvent.Type.Resize:
            self.place()
        return False


class Toast(QLabel):
    """One message. It stays while the mouse is over it."""

    def __init__(self, text: str, level: Level, toasts: Toasts, looks: theme.Looks, size: int) -> None:
        super().__init__()
        self.said: tuple[str, Level] = text, level
        self._toasts, self._count = toasts, 1
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        colour = looks.colours[level]
        self.setStyleSheet(
            f"background: {looks.raised}; color: {colour}; border: 1px solid {colour}; border-radius: 4px; padding: 8px;"
            + (f" font-size: {size}px" if size else ""))
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._leave)  # a method: Qt lets go of it when the window is gone
        self._write()

    def again(self) -> None:
        """The same has been said once more."""
        self._count += 1
        self._write()

    def enterEvent(self, a0: QEvent | None) -> None:
        self._timer.stop()

    def leaveEvent(self, a0: QEvent | None) -> None:
        self._timer.start(SHOWN_MS)

    def _leave(self) -> None:
        self._toasts.drop(self)

    def _write(self) -> None:
        text, level = self.said
        self.setText(theme.SIGNS[level] + text + (f"  ({self._count} times)" if self._count > 1 else ""))
        self._timer.start(SHOWN_MS)
