"""What nodes tell of themselves in `metrics`, as windows take it: anybody may publish there, and anything. No Qt."""

from __future__ import annotations

import math
from collections.abc import Mapping

Values = Mapping[str, float | str]
"""Metrics of a node."""


def number(values: Values, key: str) -> float | None:
    """A finite number; None where there is none."""
    value = values.get(key)
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None
