"""What a check finds, as a row of the table and of the JSON file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from rich.table import Table
from rich.text import Text

import rewardbot
from rewardbot.config import setting

Level = Literal["ok", "note", "warning", "problem"]
"""note: something is not there that not everybody needs. problem: something will not work."""

COLOURS: dict[Level, str] = {"ok": "green", "note": "cyan", "warning": "yellow", "problem": "bold red"}


@dataclass(frozen=True)
class DoctorOptions:
    """Options of `rewardbot doctor`."""

    json: str = setting("", "file for the result")
    only: tuple[str, ...] = setting((), "names of checks, as in rendering,dds; all if not given")
    run_dir: str = setting("runs", "folder for run folders, whose disk is looked at")
    free_gb: float = setting(2.0, "space that the disk of the run folder should have [GB]", min=0.0)
    namespace: str = setting("rewardbot", "namespace in which other nodes are looked for")


@dataclass(frozen=True)
class Finding:
    """One row.

    Attributes:
        check: what was looked at.
        found: what was found, in a few words with units.
        mend: a command or a sentence; every problem and every warning has one.
        values: the figures, for programs.
    """

    check: str
    level: Level
    found: str
    mend: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


def table(findings: Sequence[Finding]) -> Table:
    """The rows for people."""
    shown = Table(title=f"rewardbot {rewardbot.__version__} doctor")
    for column in ("check", "", "found"):
        shown.add_column(column, overflow="fold")
    for item in findings:  # as plain text: what was found may hold square brackets
        shown.add_row(Text(item.check), Text(item.level, style=COLOURS[item.level]), Text(item.found))
    return shown


def mends(findings: Sequence[Finding]) -> list[str]:
    """A line for each warning and problem. Not in the table, whose columns would cut commands into pieces."""
    return [f"{item.level}: {item.check}: {item.mend}" for item in findings if item.level in ("warning", "problem")]


def to_mapping(findings: Sequence[Finding]) -> dict[str, Any]:
    """The content of the JSON file: name, version, problems (how many), checks."""
    return {"name": "doctor", "version": rewardbot.__version__, "problems": problems(findings),
            "checks": [asdict(item) for item in findings]}


def problems(findings: Iterable[Finding]) -> int:
    """How many of them are problems."""
    return sum(item.level == "problem" for item in findings)
