"""When who says nothing is called silent, and for how long. No Qt."""

from __future__ import annotations

SILENT_S = 2.0
"""Time after which a node that said nothing is called silent; each says something every second [s]."""


def lasting(seconds: float) -> str:
    """A time in words."""
    return f"{seconds:.0f} s" if seconds < 120.0 else f"{seconds / 60.0:.0f} min"
