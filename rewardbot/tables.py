"""Tables on a terminal, and the same wide enough for a file or another program."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

PIPE_WIDTH = 200
"""Width of a table that goes to a file or another program [characters]."""


def console() -> Console:
    """Where tables are printed."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=PIPE_WIDTH)


def table(title: object, *columns: str) -> Table:
    """A table; the columns that begin with # are aligned right. None is no title."""
    found = Table(title=None if title is None else escape(str(title)), title_justify="left")
    for column in columns:
        found.add_column(escape(column.removeprefix("#")), justify="right" if column.startswith("#") else "left")
    return found
