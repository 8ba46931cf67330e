"""How our windows look: colours that colour-blind people can tell apart (Okabe and Ito), never the only sign of anything."""

from __future__ import annotations

from PyQt5.QtGui import QColor, QFont, QPalette
from PyQt5.QtWidgets import QApplication

from rewardbot.gui.level import Level

COLOURS: dict[Level, str] = {"plain": "#e8e8e8", "good": "#56b4e9", "warning": "#e69f00", "bad": "#ff8f6b"}
"""Text on `GROUND`; each has a contrast of at least 4.5 to 1."""

SIGNS: dict[Level, str] = {"plain": "", "good": "\u2713 ", "warning": "! ", "bad": "\u2717 "}
"""What says the same without the colour."""

GROUND, RAISED = "#202124", "#303134"


def apply(application: QApplication) -> None:
    """Fusion on a dark ground."""
    application.setStyle("Fusion")
    palette = QPalette()
    for role, colour in {
        QPalette.ColorRole.Window: GROUND, QPalette.ColorRole.Base: GROUND, QPalette.ColorRole.Button: RAISED,
        QPalette.ColorRole.AlternateBase: RAISED, QPalette.ColorRole.WindowText: COLOURS["plain"],
        QPalette.ColorRole.Text: COLOURS["plain"], QPalette.ColorRole.ButtonText: COLOURS["plain"],
        QPalette.ColorRole.Highlight: COLOURS["good"], QPalette.ColorRole.HighlightedText: GROUND,
        QPalette.ColorRole.ToolTipBase: RAISED, QPalette.ColorRole.ToolTipText: COLOURS["plain"],
    }.items():
        palette.setColor(role, QColor(colour))
    application.setPalette(palette)


def fixed_font() -> QFont:
    """A font in which columns stay columns."""
    font = QFont("monospace")
    font.setStyleHint(QFont.StyleHint.Monospace)
    return font

