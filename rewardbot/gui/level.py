"""How much a text shown to a person matters; `theme` says how that looks."""

from typing import Literal

Level = Literal["plain", "good", "warning", "bad"]
