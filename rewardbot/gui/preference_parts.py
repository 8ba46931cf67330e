"""Parts of the preference window: a clip with its cameras and a reward's strip, and the line of time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PyQt5.QtCore import QPoint, QPointF, QRect, QRectF, QSize, Qt, pyqtSignal
from PyQt5.QtGui import (
    QBrush,
    QColor,
    QFocusEvent,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
    QWheelEvent,
)
from PyQt5.QtWidgets import QLabel, QSizePolicy, QWidget

from rewardbot.gui import theme
from rewardbot.gui.camera_view import draw_name
from rewardbot.gui.clips import Clip

EDGE, STRIP = 4, 52


class ClipView(QWidget):
    """A clip: its cameras beside or above each other, as large as there is room, in their shape.

    Args:
        looks: colours.
        text: size of its name [px].
        chosen: called when a person goes to it, by mouse or Tab.

    Signals: `painted` when the present clip's picture is on the screen; of a free camera `turned(right, down)` [px], `zoomed(steps)`.
    """

    painted = pyqtSignal()
    turned = pyqtSignal(int, int)
    zoomed = pyqtSignal(float)

    def __init__(self, looks: theme.Looks, text: int, chosen: Callable[[], None]) -> None:
        super().__init__()
        self._looks, self._text, self._small, self._line = looks, text, round(0.8 * text), round(1.75 * text)
        self._chosen = chosen
        self._clip: Clip | None = None
        self._frame, self._title, self._verdict = 0, "", ""
        self._over = self._selected = self._unsafe = False
        self._images: list[QImage] = []
        self._free: NDArray[np.uint8] | None = None
        self._soon = False
        self._grip = QPoint()
        self._rewards: Sequence[float] = ()
        self._between = 0.0, 0.0
        self._share = 0
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 120)

    def sizeHint(self) -> QSize:
        return QSize(480, 360)

    @property
    def has_picture(self) -> bool:
        """Whether a frame of the present clip is shown."""
        return bool(self._images)

    @property
    def is_free(self) -> bool:
        """Whether it shows what a free camera sees."""
        return self._free is not None

    def take_share(self, width: int) -> None:
        """How wide each of the clips beside each other may be [px], so that their cameras stand in the same order."""
        self._share = width

    def show_clip(self, clip: Clip | None) -> None:
        """Another clip, or none."""
        self._clip, self._frame, self._free, self._soon = clip, -1, None, False
        self._images = []
        self.update()

    def show_free(self, pixels: NDArray[np.uint8] | None, *, soon: bool = False) -> None:
        """What a free camera sees of it, uint8 (H, W, 3) RGB, instead of what its cameras saw; None: those again, or, when the free
        camera comes `soon`, until then.
        """
        self._free, self._soon = pixels, soon
        self._frame = -1 if pixels is None else self._frame
        if pixels is not None:
            self._images = [_image(pixels)]
        self.update()

    def show_frame(self, frame: int, *, over: bool) -> None:
        """A frame of it; `over`: it has ended and holds this one."""
        if self._clip is None or (frame, over) == (self._frame, self._over):
            return
        self._frame, self._over = frame, over
        if self._free is None:
            self._images = [_image(frames[frame]) for frames in self._clip.frames.values()]
        self.update()

    def describe(self, title: str, verdict: str = "", *, selected: bool = False, unsafe: bool = False,
                 rewards: Sequence[float] = (), between: tuple[float, float] = (0.0, 0.0)) -> None:
        """What stands around it: its name, what was answered, whether marks are about it, whether the frame is in an unsafe
        interval, the reward of each step, and between which values the rewards of all clips are.
        """
        now = (title, verdict, selected, unsafe, rewards, between)
        if now != (self._title, self._verdict, self._selected, self._unsafe, self._rewards, self._between):
            self._title, self._verdict, self._selected, self._unsafe, self._rewards, self._between = now
            self.setAccessibleName(f"{title} {verdict}".strip())
            self.update()

    def paintEvent(self, a0: QPaintEvent | None) -> None:
        painter, looks = QPainter(self), self._looks
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        strip = STRIP + self._small if self._rewards else 0
        width = min(self.width(), self._share or self.width())
        room = QRect(EDGE, self._line, width - 2 * EDGE, self.height() - self._line - strip - EDGE)
        if self._images:
            cells = _cells([image.size() for image in self._images], room)
            around = cells[0]
            for cell in cells[1:]:
                around = around.united(cell)
            self._draw_images(painter, cells)
        else:
            around = room
            painter.setPen(QColor(looks.soft))
            painter.drawText(room, Qt.AlignmentFlag.AlignCenter, "being read")
        self._draw_title(painter, QRect(around.left(), around.top() - self._line, self.width() - around.left(), self._line))
        if self._rewards:
            self._draw_strip(painter, QRect(around.left(), around.bottom() + 2 * EDGE, around.width(), strip - 2 * EDGE))
        if self._verdict or self._unsafe or self._selected or self.hasFocus():
            colour = looks.colours["bad" if self._unsafe else "good" if self._verdict or self.hasFocus() else "plain"]
            style = Qt.PenStyle.DashLine if self._selected and not (self._verdict or self._unsafe) else Qt.PenStyle.SolidLine
            painter.setPen(QPen(QColor(colour), 5 if self._verdict or self._unsafe else 2, style))
            painter.drawRect(around.adjusted(-2, -2, 1, 1))
        painter.end()
        if self._images:
            self.painted.emit()

    def _draw_title(self, painter: QPainter, line: QRect) -> None:
        looks, font = self._looks, self.font()
        font.setPixelSize(self._text)
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(QColor(looks.colours["bad" if self._unsafe else "good" if self._verdict else "plain"]))
        over = "has ended" if self._over and self._images else ""
        text = "   ".join(filter(None, (self._title, self._verdict, "\u2717 unsafe" if self._unsafe else "", over)))
        metrics = painter.fontMetrics()
        line.setLeft(max(0, min(line.left(), line.right() - metrics.horizontalAdvance(text))))  # where a picture is narrow
        painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, metrics.elidedText(text, Qt.TextElideMode.ElideRight, line.width()))
        font.setBold(False)
        font.setPixelSize(self._small)
        painter.setFont(font)

    def _draw_images(self, painter: QPainter, cells: Sequence[QRect]) -> None:
        assert self._clip is not None
        font = self.font()
        font.setPixelSize(self._small)
        painter.setFont(font)
        names = ["free camera: drag, wheel"] if self._free is not None else list(self._clip.frames)
        if self._soon:
            names[0] = "the free camera comes"
        for name, image, cell in zip(names, self._images, cells, strict=True):
            painter.setOpacity(0.45 if self._over else 1.0)
            painter.drawImage(cell, image)
            painter.setOpacity(1.0)
            draw_name(painter, name, cell, self._small)

    def _draw_strip(self, painter: QPainter, area: QRect) -> None:
        """The reward of each step as a line, with 0 and the step that is shown."""
        values = np.asarray(self._rewards, np.float64)
        low, high = min(0.0, self._between[0]), max(0.0, self._between[1], 1e-9)  # alike for all clips: the higher line is better
        painter.fillRect(area, QColor(self._looks.raised))
        text, curve = area.adjusted(6, 2, -6, 0), area.adjusted(0, self._small + 6, 0, -3)

        def at(step: float, value: float) -> QPointF:
            up = (value - low) / (high - low)
            return QPointF(curve.left() + curve.width() * step / len(values), curve.bottom() - curve.height() * up)

        painter.setPen(QPen(QColor(self._looks.edge), 1, Qt.PenStyle.DotLine))
        painter.drawLine(at(0, 0.0), at(len(values), 0.0))
        painter.setPen(QPen(QColor(self._looks.colours["good"]), 2))
        painter.drawPolyline(QPolygonF([at(step + 0.5, float(value)) for step, value in enumerate(values)]))
        painter.setPen(QPen(QColor(self._looks.colours["plain"]), 1))
        here = at(min(self._frame, len(values)), low).x()
        painter.drawLine(QPointF(here, curve.top()), QPointF(here, curve.bottom()))
        painter.drawText(text, Qt.AlignmentFlag.AlignLeft, f"reward of each step, {values.min():.1f} to {values.max():.1f}")

    def mousePressEvent(self, a0: QMouseEvent | None) -> None:
        self._grip = a0.pos() if a0 is not None else QPoint()
        self._chosen()

    def mouseMoveEvent(self, a0: QMouseEvent | None) -> None:
        if a0 is not None and self._free is not None:
            moved, self._grip = a0.pos() - self._grip, a0.pos()
            self.turned.emit(moved.x(), moved.y())

    def wheelEvent(self, a0: QWheelEvent | None) -> None:
        if a0 is not None and self._free is not None:
            self.zoomed.emit(a0.angleDelta().y() / 120.0)

    def focusInEvent(self, a0: QFocusEvent | None) -> None:
        if a0 is not None and a0.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason):
            self._chosen()
        self.update()

    def focusOutEvent(self, a0: QFocusEvent | None) -> None:
        self.update()


class OneLine(QLabel):
    """A text that is shortened where there is no room for it; the whole of it is in the tooltip then."""

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def paintEvent(self, a0: QPaintEvent | None) -> None:
        shown = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        self.setToolTip("" if shown == self.text() else self.text())
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignVCenter, shown)


class TimeLine(QWidget):
    """The time of all clips, with where each ends and an unsafe interval; a click or a drag goes there.

    Signals: `moved(seconds)`.
    """

    moved = pyqtSignal(float)

    def __init__(self, looks: theme.Looks) -> None:
        super().__init__()
        self._looks = looks
        self._at = self._length = 0.0
        self._ends: Sequence[float] = ()
        self._span: tuple[float, float] | None = None
        self.setFixedHeight(24)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName("time")

    def show_time(self, at: float, length: float, ends: Sequence[float], span: tuple[float, float] | None) -> None:
        """The time, how long it all is, where clips end and what is unsafe [s]."""
        now = (at, length, tuple(ends), span)
        if now != (self._at, self._length, self._ends, self._span):
            self._at, self._length, self._ends, self._span = now
            self.update()

    def paintEvent(self, a0: QPaintEvent | None) -> None:
        painter, looks = QPainter(self), self._looks
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        bar = QRectF(8, self.height() / 2 - 3, self.width() - 16, 6)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(looks.raised).darker(115))
        painter.drawRoundedRect(bar, 3, 3)
        if not self._length:
            return

        def x(at: float) -> float:
            return bar.left() + bar.width() * at / self._length

        painter.setBrush(QColor(looks.soft))
        painter.drawRoundedRect(QRectF(bar.left(), bar.top(), x(self._at) - bar.left(), bar.height()), 3, 3)
        if self._span is not None:
            first, last = self._span
            painter.setBrush(QBrush(QColor(looks.colours["bad"]), Qt.BrushStyle.BDiagPattern))
            painter.setPen(QPen(QColor(looks.colours["bad"]), 2))
            painter.drawRect(QRectF(x(first), 3, max(4.0, x(last) - x(first)), self.height() - 6))
        painter.setPen(QPen(QColor(looks.colours["plain"]), 2))
        for end in self._ends:
            painter.drawLine(QPointF(x(end), bar.top() - 4), QPointF(x(end), bar.bottom() + 4))
        painter.setBrush(QColor(looks.colours["good"]))
        painter.setPen(QPen(QColor(looks.ground), 2))
        painter.drawEllipse(QPointF(x(self._at), self.height() / 2), 8, 8)

    def mousePressEvent(self, a0: QMouseEvent | None) -> None:
        self.mouseMoveEvent(a0)

    def mouseMoveEvent(self, a0: QMouseEvent | None) -> None:
        if a0 is not None and self._length:
            self.moved.emit((a0.pos().x() - 8) / max(1, self.width() - 16) * self._length)


def _image(pixels: NDArray[np.uint8]) -> QImage:
    """RGB pixels, uint8 (H, W, 3), without a copy; the clip outlives the image."""
    height, width, _ = pixels.shape
    return QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888)  # type: ignore[arg-type]


def _cells(sizes: Sequence[QSize], room: QRect) -> list[QRect]:
    """Where pictures stand beside or above each other in the middle of the room, as large as they can be."""

    def scale(columns: int) -> float:
        return min(room.width() / columns / widest, room.height() / -(-len(sizes) // columns) / highest)

    widest, highest = max(size.width() for size in sizes), max(size.height() for size in sizes)
    columns = max(range(1, len(sizes) + 1), key=scale)
    by, rows = scale(columns), -(-len(sizes) // columns)
    width, height = int(by * widest), int(by * highest)
    left, top = room.center().x() - columns * width // 2, room.center().y() - rows * height // 2
    found = []
    for number, size in enumerate(sizes):
        fitted = QSize(int(by * size.width()), int(by * size.height()))
        x, y = left + number % columns * width, top + number // columns * height
        found.append(QRect(x + (width - fitted.width()) // 2, y + (height - fitted.height()) // 2, fitted.width(), fitted.height()))
    return found
