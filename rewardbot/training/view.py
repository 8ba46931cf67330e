"""What a long run shows while it runs: a live table on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

REFRESH_S = 0.25
PLAIN_S = 5.0
WARNINGS_SHOWN = 4


@dataclass
class Progress:
    """The state of a run, changed in place by whoever runs it.

    Attributes:
        title: one line about the run.
        phases: names of all phases in order.
        phase: the present one, empty before the first.
        share: how much of the present phase is done, 0 to 1.
        detail: one line about what is going on.
        values: figures by name, ready to print.
        rates: node -> main rate [Hz]; None for a node that has said nothing for a while.
    """

    title: str
    phases: tuple[str, ...]
    phase: str = ""
    share: float = 0.0
    detail: str = ""
    values: dict[str, str] = field(default_factory=dict)
    rates: dict[str, float | None] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def begin(self, phase: str, detail: str = "") -> None:
        """Goes on to the next phase."""
        self.phase, self.share, self.detail = phase, 0.0, detail


class View:
    """Shows a `Progress`; call `refresh` as often as you like. A context manager.

    Args:
        progress: what to show.
        live: a live table; None: only when standard output is a terminal.
    """

    def __init__(self, progress: Progress, *, live: bool | None = None) -> None:
        self._progress = progress
        self._console = Console()
        self._is_live = self._console.is_terminal if live is None else live
        self._live = Live(console=self._console, auto_refresh=False, transient=True) if self._is_live else None
        self._shown_at, self._shown_phase = -1e9, ""
        self._warnings: list[str] = []

    def refresh(self) -> None:
        """Draws anew when it is time to."""
        now, progress = time.monotonic(), self._progress
        if self._live is not None:
            if now - self._shown_at >= REFRESH_S:
                self._shown_at = now
                self._live.update(_panel(progress, self._warnings[-WARNINGS_SHOWN:]), refresh=True)
        elif now - self._shown_at >= PLAIN_S or progress.phase != self._shown_phase:
            self._shown_at, self._shown_phase = now, progress.phase
            print(plain_line(progress), flush=True)

    def warn(self, text: str) -> None:
        """Shows a warning: below the table, or as a line of its own on standard error."""
        self._warnings.append(text)
        if self._live is None:
            print(text, file=sys.stderr, flush=True)

    def __enter__(self) -> View:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()


@contextmanager
def bar(title: str, phase: str) -> Iterator[Callable[[float], None]]:
    """A view of a single phase; what it gives is to be told the share that is done."""
    progress = Progress(title, (phase,), phase=phase)
    with View(progress) as view:

        def report(share: float) -> None:
            progress.share = share
            view.refresh()

        yield report


def plain_line(progress: Progress) -> str:
    """All of it in one line."""
    parts = [clock(time.monotonic() - progress.started), f"{progress.phase or 'starting'} {progress.share:.0%}"]
    parts += [progress.detail] if progress.detail else []
    parts += [f"{name} {value}" for name, value in progress.values.items()]
    parts += [f"{name} {_rate(rate)}" for name, rate in progress.rates.items()]
    return " | ".join(parts)


def clock(seconds: float) -> str:
    """Seconds as m:ss."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _rate(rate: float | None) -> str:
    return "silent" if rate is None else f"{rate:.0f} Hz"


def _panel(progress: Progress, warnings: list[str]) -> Panel:
    phases = Text()
    reached = progress.phases.index(progress.phase) if progress.phase in progress.phases else -1
    for index, name in enumerate(progress.phases):
        mark, style = ("✔ ", "green") if index < reached else ("● ", "bold cyan") if index == reached else ("○ ", "dim")
        phases.append(f"{mark}{name}   ", style=style)
    bar = Table.grid(padding=(0, 1))
    bar.add_row(ProgressBar(total=1.0, completed=min(1.0, progress.share), width=40),
                Text(f"{progress.share:4.0%}"), Text(progress.detail, style="dim"))
    figures = Table.grid(padding=(0, 3))
    figures.add_row(_pairs(progress.values), _pairs({name: _rate(rate) for name, rate in progress.rates.items()}))
    said = [Text(warning, style="yellow", overflow="ellipsis", no_wrap=True) for warning in warnings]
    elapsed = clock(time.monotonic() - progress.started)
    return Panel(Group(phases, bar, figures, *said), title=progress.title, subtitle=elapsed, title_align="left",
                 subtitle_align="right", border_style="cyan")


def _pairs(values: dict[str, str]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, value in values.items():
        table.add_row(Text(name, style="dim"), Text(value, justify="right"))
    return table
