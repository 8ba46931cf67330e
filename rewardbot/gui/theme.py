"""How our windows look: colours that colour-blind people can tell apart (Okabe and Ito), never the only sign of anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from PyQt5.QtCore import Qt
from PyQt5.QtGui import QColor, QPalette
from PyQt5.QtWidgets import QApplication

from rewardbot.config import setting
from rewardbot.gui.level import Level

SIGNS: dict[Level, str] = {"plain": "", "good": "\u2713 ", "warning": "! ", "bad": "\u2717 "}
"""What says the same without the colour."""


@dataclass(frozen=True)
class Looks:
    """Colours of a window: of its ground, of what is raised from it, of edges, of a soft text, and of texts by their level."""

    ground: str
    raised: str
    edge: str
    soft: str
    colours: Mapping[Level, str]


_DESKTOP = "palette of the desktop"
"""Property of an application: its palette before ours."""

Choice = Literal["system", "dark", "light"]

DARK = Looks("#202124", "#303134", "#7d8288", "#b4b8bd", {"plain": "#e8e8e8", "good": "#56b4e9", "warning": "#e69f00",
                                                         "bad": "#ff8f6b"})
LIGHT = Looks("#fbfbfb", "#eceef0", "#767b80", "#54595e", {"plain": "#202124", "good": "#00598c", "warning": "#7a4f00",
                                                          "bad": "#a63a00"})
"""The same hues, darkened until they can be read on a light ground. Each text has a contrast of at least 4.5 to 1 in both."""


@dataclass(frozen=True)
class LookSettings:
    """Read-only parameters of every window."""

    look: Choice = setting("system", "colours: system, dark or light")
    scale: float = setting(1.0, "size of texts", min=0.5, max=3.0)


def make_application(name: str) -> QApplication:
    """The application of a window; sharp on screens with many pixels."""
    QApplication.setAttribute(Qt.ApplicationAttribute.AA_EnableHighDpiScaling)
    QApplication.setAttribute(Qt.ApplicationAttribute.AA_UseHighDpiPixmaps)
    return QApplication([name])


def looks(choice: Choice, application: QApplication) -> Looks:
    """What was chosen; `system` is light or dark as the desktop's windows are."""
    if choice == "system":
        palette = application.property(_DESKTOP) or application.palette()
        return LIGHT if palette.color(QPalette.ColorRole.Window).lightness() > 128 else DARK
    return LIGHT if choice == "light" else DARK


def apply(application: QApplication, looks: Looks = DARK) -> None:
    """Fusion in these colours."""
    if application.property(_DESKTOP) is None:
        application.setProperty(_DESKTOP, application.palette())
    application.setStyle("Fusion")
    palette = QPalette()
    plain, ground, raised = looks.colours["plain"], looks.ground, looks.raised
    for role, colour in {
        QPalette.ColorRole.Window: ground, QPalette.ColorRole.Base: ground, QPalette.ColorRole.Button: raised,
        QPalette.ColorRole.AlternateBase: raised, QPalette.ColorRole.WindowText: plain,
        QPalette.ColorRole.Text: plain, QPalette.ColorRole.ButtonText: plain,
        QPalette.ColorRole.Highlight: looks.colours["good"], QPalette.ColorRole.HighlightedText: ground,
        QPalette.ColorRole.PlaceholderText: looks.soft, QPalette.ColorRole.ToolTipBase: raised, QPalette.ColorRole.ToolTipText: plain,
    }.items():
        palette.setColor(role, QColor(colour))
    application.setPalette(palette)


def sheet(looks: Looks, text: int) -> str:
    """Style sheet of a window: texts, buttons, fields and lists, and what has the focus. The button `stop` is told from the others.

    Args:
        looks: colours.
        text: size of texts [px].
    """
    good, bad = looks.colours["good"], looks.colours["bad"]
    return (
        f"QLabel, QLineEdit, QListWidget {{ font-size: {text}px }} QPushButton {{ font-size: {text}px; border: 2px solid"
        f" {looks.edge}; border-radius: 5px; background: {looks.raised}; padding: 6px 12px; outline: 0 }}"
        f" QPushButton:pressed {{ background: {looks.ground} }}"
        f" QPushButton#stop {{ border-color: {bad}; color: {bad}; font-weight: bold }}"
        f" QPushButton:focus, QPushButton#stop:focus {{ border: 3px solid {good} }}"
        f" QLineEdit {{ border: 2px solid {looks.edge}; border-radius: 4px; padding: 6px }}"
        f" QLineEdit:focus {{ border-color: {good} }}"
        f" QListWidget {{ border: none; outline: 0 }} QListWidget::item {{ border: 2px solid {looks.edge}; border-radius: 5px;"
        f" background: {looks.raised}; color: {looks.colours['plain']}; padding: 3px 6px }}"
        f" QListWidget::item:selected {{ border-color: {good}; background: {looks.raised}; color: {looks.colours['plain']} }}")
