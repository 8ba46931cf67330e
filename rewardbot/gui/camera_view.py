"""What a camera sees, in a window."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PyQt5.QtCore import QSize, Qt
from PyQt5.QtGui import QImage, QPainter, QPaintEvent
from PyQt5.QtWidgets import QSizePolicy, QWidget


class CameraView(QWidget):
    """The newest image of a camera, as large as there is room."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name, self._image = name, QImage()
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
        if self._image.isNull():
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, f"no image of {self._name} yet")
        else:
            fitted = self._image.scaled(
                self.size(), Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation)
            painter.drawImage((self.width() - fitted.width()) // 2, (self.height() - fitted.height()) // 2, fitted)
        painter.drawText(6, 16, self._name)


def as_image(pixels: NDArray[np.uint8]) -> QImage:
    """RGB pixels, uint8 (H, W, 3)."""
    height, width, _ = pixels.shape
    return QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()
