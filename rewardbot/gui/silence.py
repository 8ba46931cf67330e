"""When who says nothing is called silent, and for how long. No Qt."""

from __future__ import annotations

SILENT_S = 1.75
"""Time after which a node or a camera that said nothing is called silent; each node says something every second [s]. With the time
that a window takes to show it, a loss is seen within 2 s.
"""


def lasting(seconds: float) -> str:
    """A time in words."""
    return f"{seconds:.0f} s" if seconds < 120.0 else f"{seconds / 60.0:.0f} min"
