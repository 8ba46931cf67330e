"""What a camera sees, in a window."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PyQt5.QtCore import QRect, QSize, Qt
from PyQt5.QtGui import QColor, QImage, QPainter, QPaintEvent
from PyQt5.QtWidgets import QSizePolicy, QWidget


class CameraView(QWidget):
    """The newest image of a camera, as large as there is room, with its name in the corner.

    Args:
        name: the camera's.
        text: size of texts [px].
    """

    def __init__(self, name: str, text: int = 13) -> None:
        super().__init__()
        self._name, self._text, self._image = name, text, QImage()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(f"camera {name}")

    def show_pixels(self, pixels: NDArray[np.uint8]) -> None:
        """Shows an RGB image, uint8 (H, W, 3)."""
        self._image = as_image(pixels)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(420, 420)

    def paintEvent(self, a0: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        font = self.font()
        font.setPixelSize(self._text)
        painter.setFont(font)
        if self._image.isNull():
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, f"no image of {self._name} yet")
            return
        size = self._image.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        target = QRect((self.width() - size.width()) // 2, (self.height() - size.height()) // 2, size.width(), size.height())
        painter.drawImage(target, self._image)
        draw_name(painter, self._name, target, self._text)


def draw_name(painter: QPainter, name: str, picture: QRect, text: int) -> None:
    """Writes what is shown into the upper left corner of a picture, where it can be read on any."""
    label = QRect(picture.left(), picture.top(), painter.fontMetrics().horizontalAdvance(name) + 10, text + 5)
    painter.fillRect(label, QColor(0, 0, 0, 150))
    painter.setPen(QColor("#ffffff"))
    painter.drawText(label, Qt.AlignmentFlag.AlignCenter, name)


def as_image(pixels: NDArray[np.uint8]) -> QImage:
    """RGB pixels, uint8 (H, W, 3)."""
    height, width, _ = pixels.shape
    return QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()
