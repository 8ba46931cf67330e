"""Parts of the window for labelling a goal: the bar of a probability, a question's picture."""

from __future__ import annotations

from collections.abc import Callable

from PyQt5.QtCore import QRect, Qt
from PyQt5.QtGui import QColor, QFocusEvent, QImage, QMouseEvent, QPainter, QPaintEvent, QPen
from PyQt5.QtWidgets import QSizePolicy, QWidget

from rewardbot.gui import theme
from rewardbot.gui.camera_view import as_image
from rewardbot.gui.goal_questions import Question
from rewardbot.gui.goal_words import GOAL_SIGN, OTHER_SIGN
from rewardbot.rewards.goal_classifier import THRESHOLD


def colour_of(goal: bool, looks: theme.Looks) -> str:
    """Of the two kinds, which are told apart by words and signs, too: blue and orange of Okabe and Ito."""
    return looks.colours["good" if goal else "warning"]


class ProbabilityBar(QWidget):
    """A probability from 0 to 1, the threshold as a line across, and what each side of it means.

    Args:
        looks: colours.
        text: size of texts [px].
    """

    def __init__(self, looks: theme.Looks, text: int) -> None:
        super().__init__()
        self._looks, self._text = looks, text
        self._value: float | None = None
        self.setMinimumHeight(37 + text)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("probability of the goal")

    def set_value(self, value: float | None) -> None:
        """Shows another probability, None for none."""
        self._value = value
        self.setAccessibleDescription("" if value is None else f"{value:.2f}")
        self.update()

    def paintEvent(self, a0: QPaintEvent | None) -> None:
        painter, bar, looks = QPainter(self), QRect(0, 4, self.width() - 1, 24), self._looks
        _write_in(painter, self, self._text)
        painter.fillRect(bar, QColor(looks.raised))
        if self._value is not None:
            filled = QRect(bar.left(), bar.top(), round(bar.width() * self._value), bar.height())
            painter.fillRect(filled, QColor(colour_of(self._value > THRESHOLD, looks)))
        painter.setPen(QPen(QColor(looks.colours["plain"]), 2))
        at = bar.left() + round(bar.width() * THRESHOLD)
        painter.drawLine(at, bar.top() - 4, at, bar.bottom() + 4)
        line = QRect(0, bar.bottom() + 4, self.width(), self._text + 5)
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft, f"{OTHER_SIGN} not visible")
        painter.drawText(line, Qt.AlignmentFlag.AlignHCenter, f"{THRESHOLD:g}")
        painter.drawText(line, Qt.AlignmentFlag.AlignRight, f"visible {GOAL_SIGN}")


class Thumbnail(QWidget):
    """A question's pictures beside each other, with the probability.

    Args:
        cameras: how many pictures.
        chosen: called when a person goes to it, by mouse or Tab.
        looks: colours.
        text: size of texts [px].
    """

    WIDTH, EDGE = 140, 4

    def __init__(self, cameras: int, chosen: Callable[[], None], looks: theme.Looks, text: int) -> None:
        super().__init__()
        self._looks, self._text, self._line = looks, text, text + 5
        self._chosen, self._selected = chosen, False
        self._side = self.WIDTH // cameras
        self._question: Question | None = None
        self._images: list[QImage] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(self._side + self._line + 3 * self.EDGE)
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
        _write_in(painter, self, self._text)
        edge, side = self.EDGE, min(self._side, (self.width() - 2 * self.EDGE) // len(self._images))
        left = (self.width() - side * len(self._images)) // 2
        for number, image in enumerate(self._images):
            fitted = image.scaled(side, side, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation)
            painter.drawImage(left + number * side + (side - fitted.width()) // 2, edge + (side - fitted.height()) // 2, fitted)
        painter.drawText(QRect(0, side + 2 * edge, self.width(), self._line), Qt.AlignmentFlag.AlignHCenter,
                         f"{self._question.probability:.2f}")
        if self._selected:
            painter.setPen(QPen(QColor(self._looks.colours["good"]), 3))
            painter.drawRect(left - 3, edge - 3, side * len(self._images) + 5, side + 5)


def _write_in(painter: QPainter, widget: QWidget, text: int) -> None:
    font = widget.font()
    font.setPixelSize(text)
    painter.setFont(font)
