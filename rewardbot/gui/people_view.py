"""Who answers, how far each can be relied on, and the list of clips about which they disagree, to be looked at."""

from __future__ import annotations

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QGridLayout, QLabel, QListWidget, QVBoxLayout, QWidget

from rewardbot.feedback.people import People
from rewardbot.gui import people_words as words
from rewardbot.gui import theme


class PeopleView(QWidget):
    """See the module.

    Args:
        looks: colours.
        text: size of texts [px].

    Signals: `chosen(Dispute)`, the conflict that somebody wants to see.
    """

    chosen = pyqtSignal(object)

    def __init__(self, looks: theme.Looks, text: int = 13) -> None:
        super().__init__()
        self._looks, self._text = looks, text
        self._people = People()
        self._table = QGridLayout()
        self._table.setHorizontalSpacing(10)
        self._table.setVerticalSpacing(4)
        self._table.setColumnStretch(0, 1)
        self._agreement, self._disputed = QLabel(), QLabel()
        self.list = QListWidget()
        self.list.setAccessibleName("conflicts")
        self.list.setSpacing(2)
        self.list.itemActivated.connect(lambda item: self.chosen.emit(self._people.disputes[self.list.row(item)]))
        self.list.itemClicked.connect(lambda item: self.chosen.emit(self._people.disputes[self.list.row(item)]))
        for label in (self._agreement, self._disputed):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setStyleSheet(f"font-size: {text}px; color: {looks.colours['plain']}")
        whole = QVBoxLayout(self)
        whole.setContentsMargins(12, 0, 0, 0)
        whole.setSpacing(10)
        for title, part in (("Who answers", self._table), ("Where they disagree", None)):
            heading = QLabel(title)
            heading.setStyleSheet(f"font-size: {text + 3}px; font-weight: bold; color: {looks.colours['plain']}")
            whole.addWidget(heading)
            if part is not None:
                whole.addLayout(part)
                whole.addWidget(self._agreement)
        whole.addWidget(self._disputed)
        whole.addWidget(self.list, 1)
        whole.addStretch()  # takes the list's room where there is none
        self.show_people(People())

    def show_people(self, people: People) -> None:
        """Another state of things."""
        self._people = people
        while (item := self._table.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        for number, (name, tip) in enumerate(words.COLUMNS.items() if people.people else ()):
            self._put(0, number, name, tip, soft=True)
        for line, person in enumerate(people.people, 1):
            for number, cell in enumerate(words.row(person)):
                self._put(line, number, cell, list(words.COLUMNS.values())[number])
        self._agreement.setText(words.agreement(people))
        self._disputed.setText(words.disputed(people))
        at = self.list.currentRow()
        self.list.clear()
        self.list.addItems([words.conflict(one.conflict) for one in people.disputes])
        self.list.setCurrentRow(min(max(at, 0), len(people.disputes) - 1))
        self.list.setVisible(bool(people.disputes))

    def _put(self, line: int, column: int, text: str, tip: str, *, soft: bool = False) -> None:
        label = QLabel(text)
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setToolTip(tip)
        colour = self._looks.soft if soft else self._looks.colours["plain"]
        label.setStyleSheet(f"font-size: {self._text - soft}px; color: {colour}")
        self._table.addWidget(label, line, column, Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft)
