"""The console that every command prints to, and how it prints paths and text.

Not here: what is printed (the other modules of this folder).
"""

import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Column

from models.masking import sanitize
from warehouse.config import PROJECT
from warehouse.storage import AnyPath

LOG_WIDTH = 120
"""Columns of tables where the output is no terminal: a file, cron's mail."""


class SanitizingConsole(Console):
    """Prints text from log files and values with phone numbers masked and control characters removed."""

    def print(self, *objects: Any, **style: Any) -> None:
        super().print(*(sanitize(item) if isinstance(item, str) else item for item in objects), **style)


_width = None if sys.stdout.isatty() else LOG_WIDTH
console = SanitizingConsole(highlight=False, soft_wrap=True, markup=False, width=_width)


def print_lines(lines: Sequence[str], limit: int, more: str = "more") -> None:
    """Prints lines indented; if there are more than `limit`, how many are left out."""
    for line in lines[:limit]:
        console.print(f"  {line}")
    if len(lines) > limit:
        console.print(f"  … and {len(lines) - limit} {more}")


def short_path(path: AnyPath) -> str:
    """A path as an operator in the project's folder types it."""
    return str(path).removeprefix(f"{PROJECT}/")


def right_aligned(*headers: str) -> list[Column]:
    """The columns of numbers of a table."""
    return [Column(header, justify="right") for header in headers]
