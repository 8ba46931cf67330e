"""Parts of the preference window: a clip with its cameras, the line of time, a reward's strip, and the table of keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PyQt5.QtCore import QPointF, QRect, QRectF, QSize, Qt, pyqtSignal
from PyQt5.QtGui import QBrush, QColor, QFocusEvent, QImage, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PyQt5.QtWidgets import QFrame, QGridLayout, QLabel, QSizePolicy, QWidget

from rewardbot.gui import theme
from rewardbot.gui.clips import Clip
from rewardbot.teleop.bindings import Binding

LINE, GAP = 22, 4


class ClipView(QWidget):
    """A clip: its cameras beside or above each other, as large as there is room, in their shape.

    Args:
        looks: colours.
        chosen: called when a person goes to it, by mouse or Tab.

    Signals: `painted` when the present clip's picture is on the screen.
    """

    painted = pyqtSignal()

    def __init__(self, looks: theme.Looks, chosen: Callable[[], None]) -> None:
        super().__init__()
        self._looks, self._chosen = looks, chosen
        self._clip: Clip | None = None
        self._frame, self._title, self._verdict = 0, "", ""
        self._over = self._selected = self._unsafe = False
        self._images: list[QImage] = []
        self._rewards: Sequence[float] = ()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 120)

    def sizeHint(self) -> QSize:
        return QSize(480, 360)

    @property
    def has_picture(self) -> bool:
        """Whether a frame of the present clip is shown."""
        return bool(self._images)

    def show_clip(self, clip: Clip | None) -> None:
        """Another clip, or none."""
        self._clip, self._frame = clip, -1
        self._images = []
        self.update()

    def show_frame(self, frame: int, *, over: bool) -> None:
        """A frame of it; `over`: it has ended and holds this one."""
        if self._clip is None or (frame, over) == (self._frame, self._over):
            return
        self._frame, self._over = frame, over
        self._images = [_image(frames[frame]) for frames in self._clip.frames.values()]
        self.update()

    def describe(self, title: str, verdict: str = "", *, selected: bool = False, unsafe: bool = False,
                 rewards: Sequence[float] = ()) -> None:
        """What stands around it: its name, what was answered, whether marks are about it, whether the frame is in an unsafe
        interval, and the reward of each step.
        """
        now = (title, verdict, selected, unsafe, rewards)
        if now != (self._title, self._verdict, self._selected, self._unsafe, self._rewards):
            self._title, self._verdict, self._selected, self._unsafe, self._rewards = now
            self.setAccessibleName(f"{title} {verdict}".strip())
            self.update()

    def paintEvent(self, a0: QPaintEvent | None) -> None:
        painter, looks = QPainter(self), self._looks
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        strip = 44 if self._rewards else 0
        area = QRect(GAP, LINE + GAP, self.width() - 2 * GAP, self.height() - LINE - strip - 2 * GAP)
        painter.setPen(QColor(looks.colours["good" if self._verdict else "plain"]))
        title = f"{self._title}   {self._verdict}" if self._verdict else self._title
        painter.drawText(QRect(GAP, 0, self.width(), LINE), Qt.AlignmentFlag.AlignVCenter, title)
        if self._images:
            self._draw_images(painter, area)
            if self._over:
                painter.setPen(QColor(looks.soft))
                painter.drawText(QRect(0, 0, self.width() - GAP, LINE),
                                 Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, "has ended")
        else:
            painter.setPen(QColor(looks.soft))
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, "being read")
        if self._rewards:
            self._draw_strip(painter, QRect(area.left(), area.bottom() + GAP, area.width(), strip - GAP))
        if self._verdict or self._unsafe or self._selected or self.hasFocus():
            colour = looks.colours["bad" if self._unsafe else "good" if self._verdict or self.hasFocus() else "plain"]
            style = Qt.PenStyle.DashLine if self._selected and not (self._verdict or self._unsafe) else Qt.PenStyle.SolidLine
            painter.setPen(QPen(QColor(colour), 5 if self._verdict or self._unsafe else 2, style))
            painter.drawRect(area.adjusted(-1, -1, 1, 1))
        painter.end()
        if self._images:
            self.painted.emit()

    def _draw_images(self, painter: QPainter, area: QRect) -> None:
        assert self._clip is not None
        columns = _columns([image.size() for image in self._images], area.size())
        rows = -(-len(self._images) // columns)
        for number, (name, image) in enumerate(zip(self._clip.frames, self._images, strict=True)):
            cell = QRect(area.left() + number % columns * area.width() // columns,
                         area.top() + number // columns * area.height() // rows,
                         area.width() // columns, area.height() // rows)
            fitted = image.size().scaled(cell.size() - QSize(GAP, GAP), Qt.AspectRatioMode.KeepAspectRatio)
            target = QRect(cell.center().x() - fitted.width() // 2, cell.center().y() - fitted.height() // 2,
                           fitted.width(), fitted.height())
            painter.setOpacity(0.45 if self._over else 1.0)
            painter.drawImage(target, image)
            painter.setOpacity(1.0)
            label = QRect(target.left(), target.top(), painter.fontMetrics().horizontalAdvance(name) + 10, 18)
            painter.fillRect(label, QColor(0, 0, 0, 150))
            painter.setPen(QColor("#ffffff"))
            painter.drawText(label, Qt.AlignmentFlag.AlignCenter, name)

    def _draw_strip(self, painter: QPainter, area: QRect) -> None:
        """The reward of each step as a line, with 0 and the step that is shown."""
        values = np.asarray(self._rewards, np.float64)
        low, high = min(0.0, float(values.min())), max(0.0, float(values.max()), 1e-9)
        painter.fillRect(area, QColor(self._looks.raised))

        def at(step: float, value: float) -> QPointF:
            up = (value - low) / (high - low)
            return QPointF(area.left() + area.width() * step / len(values), area.bottom() - area.height() * up)

        painter.setPen(QPen(QColor(self._looks.edge), 1, Qt.PenStyle.DotLine))
        painter.drawLine(at(0, 0.0), at(len(values), 0.0))
        painter.setPen(QPen(QColor(self._looks.colours["good"]), 2))
        painter.drawPolyline(QPolygonF([at(step + 0.5, float(value)) for step, value in enumerate(values)]))
        painter.setPen(QPen(QColor(self._looks.colours["plain"]), 1))
        here = at(min(self._frame, len(values)), low).x()
        painter.drawLine(QPointF(here, area.top()), QPointF(here, area.bottom()))
        painter.drawText(area.adjusted(4, 0, -4, 0), Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop,
                         f"reward {low:.1f} to {high:.1f}")

    def mousePressEvent(self, a0: QMouseEvent | None) -> None:
        self._chosen()

    def focusInEvent(self, a0: QFocusEvent | None) -> None:
        if a0 is not None and a0.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason):
            self._chosen()
        self.update()

    def focusOutEvent(self, a0: QFocusEvent | None) -> None:
        self.update()


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


class KeyHelp(QFrame):
    """The table of keys above the window it belongs to, in two columns."""

    def __init__(self, window: QWidget, looks: theme.Looks) -> None:
        super().__init__(window)
        self.setObjectName("help")
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(28, 20, 28, 20)
        self._grid.setHorizontalSpacing(14)
        self._grid.setVerticalSpacing(5)
        self.setStyleSheet(f"#help {{ background: {looks.ground}; border: 2px solid {looks.colours['good']}; border-radius: 8px }}")
        self.hide()

    def toggle(self, rows: Sequence[Binding]) -> None:
        """Shows these keys, or hides them."""
        if not self.isHidden():
            self.hide()
            return
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        title = QLabel("Keys")
        title.setStyleSheet("font-size: 20px; font-weight: bold")
        self._grid.addWidget(title, 0, 0, 1, 4)
        half = -(-len(rows) // 2)
        for number, row in enumerate(rows):
            key = QLabel(row.key.upper() if len(row.key) == 1 else row.key)
            key.setStyleSheet("font-weight: bold")
            for column, widget in enumerate((key, QLabel(row.description))):
                self._grid.addWidget(widget, 1 + number % half, 2 * (number // half) + column)
        self._grid.setColumnMinimumWidth(1, 320)
        self.adjustSize()
        window = self.parentWidget()
        assert window is not None
        self.move((window.width() - self.width()) // 2, max(0, (window.height() - self.height()) // 2))
        self.show()
        self.raise_()


def _image(pixels: NDArray[np.uint8]) -> QImage:
    """RGB pixels, uint8 (H, W, 3), without a copy; the clip outlives the image."""
    height, width, _ = pixels.shape
    return QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888)  # type: ignore[arg-type]


def _columns(sizes: Sequence[QSize], room: QSize) -> int:
    """In how many columns pictures are largest."""

    def scale(columns: int) -> float:
        rows = -(-len(sizes) // columns)
        return min(min(room.width() / columns / size.width(), room.height() / rows / size.height()) for size in sizes)

    return max(range(1, len(sizes) + 1), key=scale)
