"""The learning view: curves, the rewards' histogram, what the classifier sees, and the state of things beside the questions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph
from numpy.typing import NDArray
from PyQt5.QtCore import QRect, QSize, Qt, QTimer
from PyQt5.QtGui import QColor, QImage, QPainter, QPaintEvent
from PyQt5.QtWidgets import QGridLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from rewardbot.gui import theme
from rewardbot.gui.camera_view import as_image
from rewardbot.gui.learning import Learning

REFRESH_MS, BINS = 500, 20


class LearningView(QWidget):
    """Draws what `Learning` holds, a few times a second while it is shown.

    Args:
        learning: what it shows.
        looks: colours.
        text: size of texts [px].
    """

    def __init__(self, learning: Learning, looks: theme.Looks, text: int = 13) -> None:
        super().__init__()
        self._learning, self._looks, self._text = learning, looks, text
        self.camera = ProbabilityView(looks, text)
        self._rows = QGridLayout()
        self._rows.setColumnStretch(1, 1)
        self._rows.setVerticalSpacing(1)
        self._rows.setHorizontalSpacing(12)
        self._labels: list[tuple[QLabel, QLabel]] = []
        self._plots = {name: self._plot(title) for name, title in (
            ("success", "success, last episodes"), ("reward", "reward, by minutes"), ("accuracy", "answers explained"))}
        pen = pyqtgraph.mkPen(looks.colours["good"], width=2.0 * self.devicePixelRatioF())  # of the screen's own pixels
        self._lines = {name: plot.plot(pen=pen) for name, plot in self._plots.items()}
        self._histogram = self._plot("rewards of the clips")
        self._bars = pyqtgraph.BarGraphItem(x=[0], height=[0], width=0.1, brush=looks.colours["warning"], pen=looks.edge)
        self._histogram.addItem(self._bars)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(12, 0, 0, 0)
        whole.setSpacing(6)
        whole.addWidget(self.camera)
        self._grid = QGridLayout()
        self._grid.setSpacing(4)
        self._drawn: list[Any] = []
        whole.addLayout(self._grid)
        whole.addLayout(self._rows)
        whole.addStretch(1)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.refresh)
        self._timer.start(REFRESH_MS)

    def refresh(self) -> None:
        """Draws what is there now."""
        if not self.isVisible():
            return
        for name, line in self._lines.items():
            minutes, values = self._learning.curve(name)
            line.setData(minutes, values)
        rewards = self._learning.rewards
        drawn = [plot for name, plot in self._plots.items() if len(self._learning.curve(name)[1]) > 1]
        self._arrange([*drawn, *([self._histogram] if len(rewards) else [])])
        if len(rewards):
            heights, edges = np.histogram(rewards, BINS)
            self._bars.setOpts(x=(edges[:-1] + edges[1:]) / 2, height=heights, width=0.9 * (edges[1] - edges[0]))
        self.camera.show_probability(self._learning.probability)
        self._write()

    def _arrange(self, drawn: list[Any]) -> None:
        """Plots without a hole between them: those that there is something to draw in."""
        if drawn == self._drawn:
            return
        for plot in self._drawn:
            self._grid.removeWidget(plot)
            plot.hide()
        for number, plot in enumerate(drawn):
            alone = number == len(drawn) - 1 and number % 2 == 0
            self._grid.addWidget(plot, number // 2, number % 2, 1, 2 if alone else 1)
            plot.show()
        self._drawn = drawn

    def _write(self) -> None:
        rows = self._learning.rows()
        while len(self._labels) < len(rows):
            pair = QLabel(), QLabel()
            pair[1].setWordWrap(True)
            for column, label in enumerate(pair):
                label.setTextFormat(Qt.TextFormat.PlainText)
                self._rows.addWidget(label, len(self._labels), column, Qt.AlignmentFlag.AlignTop)
            self._labels.append(pair)
        for number, pair in enumerate(self._labels):
            name, text, level = rows[number] if number < len(rows) else ("", "", "plain")
            pair[0].setText(name)
            pair[1].setText(theme.SIGNS[level] + text if text else "")
            pair[0].setStyleSheet(f"color: {self._looks.soft}; font-size: {self._text}px")
            pair[1].setStyleSheet(f"color: {self._looks.colours[level]}; font-size: {self._text}px")

    def _plot(self, title: str) -> Any:
        plot = pyqtgraph.PlotWidget(self, background=self._looks.ground)
        plot.hide()
        plot.setTitle(title, color=self._looks.soft, size=f"{self._text - 1}px")
        plot.setMinimumHeight(105)
        plot.setMaximumHeight(125)
        font = self.font()
        font.setPixelSize(self._text - 3)
        plot.setMouseEnabled(x=False, y=False)
        plot.hideButtons()
        plot.setMenuEnabled(False)
        plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        for axis in ("left", "bottom"):
            plot.getAxis(axis).setPen(self._looks.edge)
            plot.getAxis(axis).setTextPen(self._looks.soft)
            plot.getAxis(axis).setStyle(tickFont=font, maxTickLevel=0)
            plot.getAxis(axis).enableAutoSIPrefix(False)
        return plot


class ProbabilityView(QWidget):
    """What a camera sees now, with the classifier's probability of the goal over it."""

    def __init__(self, looks: theme.Looks, text: int) -> None:
        super().__init__()
        self._looks, self._text = looks, text
        self._image = QImage()
        self._probability: float | None = None
        self.setMinimumHeight(110)
        self.setMaximumHeight(190)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.hide()

    def sizeHint(self) -> QSize:
        return QSize(380, 190)

    def show_pixels(self, pixels: NDArray[np.uint8]) -> None:
        """The newest picture, uint8 (H, W, 3) RGB."""
        self._image = as_image(pixels)
        self.show()
        self.update()

    def show_probability(self, probability: float | None) -> None:
        """Of the goal; None where no classifier says so."""
        self._probability = probability
        self.setAccessibleName("camera" if probability is None else f"camera, probability of the goal {probability:.2f}")
        self.update()

    def paintEvent(self, a0: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        size = self._image.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        target = QRect((self.width() - size.width()) // 2, 0, size.width(), size.height())
        painter.drawImage(target, self._image)
        if self._probability is None:
            return
        bar = QRect(target.left(), target.bottom() - 25, target.width(), 26)
        painter.fillRect(bar, QColor(0, 0, 0, 170))
        painter.fillRect(QRect(bar.left(), bar.bottom() - 5, round(bar.width() * self._probability), 5), QColor("#56b4e9"))
        font = self.font()
        font.setPixelSize(self._text)
        painter.setFont(font)
        painter.setPen(QColor("#ffffff"))
        painter.drawText(bar.adjusted(6, 0, 0, -4), Qt.AlignmentFlag.AlignVCenter, f"goal: {self._probability:.2f}")
