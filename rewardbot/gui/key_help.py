"""The table of a window's keys: in the window, or above it while somebody reads it."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtWidgets import QFrame, QGridLayout, QLabel, QWidget

from rewardbot.gui import theme
from rewardbot.teleop.bindings import Binding


class KeyList(QWidget):
    """Keys and what they do.

    Args:
        rows: of the table.
        text: size of texts [px].
        columns: beside each other.
    """

    def __init__(self, rows: Sequence[Binding], text: int, columns: int = 1) -> None:
        super().__init__()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(14)
        grid.setVerticalSpacing(text // 4)
        high = -(-len(rows) // columns)
        for number, row in enumerate(rows):
            key, what = QLabel(row.shown), QLabel(row.description)
            key.setStyleSheet(f"font-size: {text}px; font-weight: bold")
            what.setStyleSheet(f"font-size: {text}px")
            for column, label in enumerate((key, what)):
                grid.addWidget(label, number % high, 2 * (number // high) + column)
        for column in range(columns):
            grid.setColumnStretch(2 * column + 1, 1)


class KeyHelp(QFrame):
    """The table of keys above the window it belongs to, in two columns."""

    def __init__(self, window: QWidget, looks: theme.Looks, text: int) -> None:
        super().__init__(window)
        self._text = text
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(28, 20, 28, 20)
        title = QLabel("Keys")
        title.setStyleSheet(f"font-size: {round(1.3 * text)}px; font-weight: bold")
        self._grid.addWidget(title, 0, 0)
        self.setObjectName("help")
        self.setStyleSheet(f"#help {{ background: {looks.ground}; border: 2px solid {looks.colours['good']}; border-radius: 8px }}")
        self.hide()

    def toggle(self, rows: Sequence[Binding]) -> None:
        """Shows these keys, or hides them."""
        if not self.isHidden():
            self.hide()
            return
        if (before := self._grid.itemAtPosition(1, 0)) is not None and (widget := before.widget()) is not None:
            self._grid.removeWidget(widget)
            widget.setParent(None)  # type: ignore[call-overload]
        self._grid.addWidget(KeyList(rows, self._text, 2), 1, 0)
        self.adjustSize()
        window = self.parentWidget()
        assert window is not None
        self.move((window.width() - self.width()) // 2, max(0, (window.height() - self.height()) // 2))
        self.show()
        self.raise_()
