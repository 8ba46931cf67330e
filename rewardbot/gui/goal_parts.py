"""Parts of the window for labelling a goal: the bar of a probability, a question's picture, the help."""

from __future__ import annotations

from collections.abc import Callable

from PyQt5.QtCore import QRect, Qt
from PyQt5.QtGui import QColor, QFocusEvent, QImage, QMouseEvent, QPainter, QPaintEvent, QPen
from PyQt5.QtWidgets import QLabel, QSizePolicy, QWidget

from rewardbot.gui import theme
from rewardbot.gui.camera_view import as_image
from rewardbot.gui.goal_questions import Question
from rewardbot.gui.goal_words import GOAL_SIGN, OTHER_SIGN, help_text
from rewardbot.rewards.goal_classifier import THRESHOLD

GOAL, OTHER = theme.COLOURS["good"], theme.COLOURS["warning"]
"""Sky blue and orange of Okabe and Ito: the two kinds, which are told apart by words and signs, too."""


class ProbabilityBar(QWidget):
    """A probability from 0 to 1, the threshold as a line across, and what each side of it means."""

    def __init__(self) -> None:
        super().__init__()
        self._value: float | None = None
        self.setMinimumHeight(52)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("probability of the goal")

    def set_value(self, value: float | None) -> None:
        """Shows another probability, None for none."""
        self._value = value
        self.setAccessibleDescription("" if value is None else f"{value:.2f}")
        self.update()

    def paintEvent(self, a0: QPaintEvent | None) -> None:
        painter, bar = QPainter(self), QRect(0, 4, self.width() - 1, 24)
        painter.fillRect(bar, QColor(theme.RAISED))
        if self._value is not None:
            filled = QRect(bar.left(), bar.top(), round(bar.width() * self._value), bar.height())
            painter.fillRect(filled, QColor(GOAL if self._value > THRESHOLD else OTHER))
        painter.setPen(QPen(QColor(theme.COLOURS["plain"]), 2))
        at = bar.left() + round(bar.width() * THRESHOLD)
        painter.drawLine(at, bar.top() - 4, at, bar.bottom() + 4)
        line = QRect(0, bar.bottom() + 4, self.width(), 20)
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft, f"{OTHER_SIGN} not visible")
        painter.drawText(line, Qt.AlignmentFlag.AlignHCenter, f"{THRESHOLD:g}")
        painter.drawText(line, Qt.AlignmentFlag.AlignRight, f"visible {GOAL_SIGN}")


class Thumbnail(QWidget):
    """A question's pictures beside each other, with the probability.

    Args:
        cameras: how many pictures.
        chosen: called when a person goes to it, by mouse or Tab.
    """

    WIDTH, LINE, EDGE = 140, 20, 4

    def __init__(self, cameras: int, chosen: Callable[[], None]) -> None:
        super().__init__()
        self._chosen, self._selected = chosen, False
        self._side = self.WIDTH // cameras
        self._question: Question | None = None
        self._images: list[QImage] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(self._side + self.LINE + 3 * self.EDGE)
        self.set_question(None, selected=False)

    def set_question(self, question: Question | None, *, selected: bool) -> None:
        """Shows a question, or nothing."""
        if question is not self._question:
            self._question = question
            self._images = [as_image(pixels) for pixels in question.images.values()] if question else []
        self._selected = selected
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if question else Qt.FocusPolicy.NoFocus)
        self.setAccessibleName(f"question, probability {question.probability:.2f}" if question else "")
        self.update()

    def mousePressEvent(self, a0: QMouseEvent | None) -> None:
        if self._question is not None:
            self._chosen()

    def focusInEvent(self, a0: QFocusEvent | None) -> None:
        if a0 is not None and a0.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason):
            self._chosen()

    def paintEvent(self, a0: QPaintEvent | None) -> None:
        if self._question is None:
            return
        painter = QPainter(self)
        edge, side = self.EDGE, min(self._side, (self.width() - 2 * self.EDGE) // len(self._images))
        left = (self.width() - side * len(self._images)) // 2
        for number, image in enumerate(self._images):
            fitted = image.scaled(side, side, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation)
            painter.drawImage(left + number * side + (side - fitted.width()) // 2, edge + (side - fitted.height()) // 2, fitted)
        painter.drawText(QRect(0, side + 2 * edge, self.width(), self.LINE), Qt.AlignmentFlag.AlignHCenter,
                         f"{self._question.probability:.2f}")
        if self._selected:
            painter.setPen(QPen(QColor(GOAL), 3))
            painter.drawRect(left - 3, edge - 3, side * len(self._images) + 5, side + 5)


class Help(QLabel):
    """The table of keys above the window it belongs to."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(help_text(), window)
        self.setFont(theme.fixed_font())
        self.setStyleSheet(f"background: {theme.GROUND}; border: 2px solid {theme.COLOURS['good']}; padding: 24px; font-size: 16px")
        self.hide()

    def toggle(self) -> None:
        """Shows or hides it."""
        window = self.parentWidget()
        assert window is not None
        self.setVisible(self.isHidden())
        self.adjustSize()
        self.move((window.width() - self.width()) // 2, (window.height() - self.height()) // 2)
        self.raise_()
