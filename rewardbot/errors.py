"""Errors for the person who reads them: what happened, what would be valid, what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RewardbotError(Exception):
    """A problem that the user can mend. The CLI and the nodes print it without a traceback and exit with code 2.

    Args:
        what: what happened, in one sentence.
        valid: what would have been valid, if that helps.
        next_step: what to do now.
    """

    exit_code = 2

    def __init__(self, what: str, *, valid: str = "", next_step: str = "") -> None:
        self.what, self.valid, self.next_step = what, valid, next_step
        super().__init__("\n  ".join(part for part in (what, valid, next_step) if part))


class ConfigError(RewardbotError):
    """A configuration key, type or value that is not valid."""


class DataError(RewardbotError):
    """An episode, bag, checkpoint or image that cannot be used as it is."""


class RobotError(RewardbotError):
    """The robot or simulator cannot go on: NaN state, stale observation, missing camera."""


class MissingSystemLibrary(RewardbotError):
    """A library of the operating system is missing; `next_step` holds the apt line."""


def unknown_name(kind: str, name: str, valid: Iterable[str]) -> ConfigError:
    """An error for a name that does not exist: lists the valid ones and suggests the nearest."""
    names = sorted(valid)
    nearest = difflib.get_close_matches(name, names, n=1)
    return ConfigError(
        f"There is no {kind} named '{name}'.",
        valid=f"Valid: {', '.join(names) or '(none)'}.",
        next_step=f"Did you mean '{nearest[0]}'?" if nearest else "",
    )
