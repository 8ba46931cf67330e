"""The order of a ranking as a list that can be dragged."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import QSize, Qt, pyqtSignal
from PyQt5.QtWidgets import QAbstractItemView, QListWidget, QListWidgetItem

PLACE = int(Qt.ItemDataRole.UserRole)


class OrderList(QListWidget):
    """Chips from the best to the worst, those without a rank last. Signals: `dragged(places)`, best first."""

    dragged = pyqtSignal(list)

    def __init__(self) -> None:
        super().__init__()
        self.setFlow(QListWidget.Flow.LeftToRight)
        self.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.setDefaultDropAction(Qt.DropAction.MoveAction)
        self.setSpacing(4)
        self.setFixedHeight(52)
        self.setAccessibleName("order, the best first")
        self._shown: tuple[object, ...] = ()
        model = self.model()
        assert model is not None
        model.rowsMoved.connect(self._moved)

    def show_order(self, groups: Sequence[Sequence[int]], clips: int, *, tying: bool) -> None:
        """Ranks so far, of so many clips; `tying`: the next one shares the last rank."""
        now = (tuple(map(tuple, groups)), clips, tying)
        if now == self._shown:
            return
        self._shown = now
        self.clear()
        ranked = [(place, f"{rank}.") for rank, group in enumerate(groups, 1) for place in group]
        left = [(place, "?") for place in range(clips) if place not in {one for one, _ in ranked}]
        for place, rank in [*ranked, *left]:
            item = QListWidgetItem(f"{rank}  clip {place + 1}")
            item.setData(PLACE, place)
            item.setTextAlignment(int(Qt.AlignmentFlag.AlignCenter))
            item.setSizeHint(QSize(self.fontMetrics().horizontalAdvance(item.text()) + 40, 36))
            self.addItem(item)
        if tying:
            self.addItem(QListWidgetItem(f"the next one shares rank {len(groups)}"))

    def places(self) -> list[int]:
        """As they stand now."""
        items = (self.item(row) for row in range(self.count()))
        return [item.data(PLACE) for item in items if item is not None and item.data(PLACE) is not None]

    def _moved(self) -> None:
        self._shown = ()
        self.dragged.emit(self.places())
