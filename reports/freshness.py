"""The result of the last refresh, for the notice at the head of every page.

Not here: why a build is held back (`quality.gate`), what to do then (`docs/runbook`).
"""

import re
import sqlite3
from dataclasses import dataclass
from datetime import datetime

from models.error_codes import Code
from models.masking import sanitize
from warehouse.config.paths import DataPaths
from warehouse.ledger import Ledger


@dataclass(frozen=True)
class LastRefresh:
    """The last refresh: its outcome, when it ended (UTC), the meanings of its runbook codes, and its message by line."""

    outcome: str
    at: datetime
    meanings: list[str]
    lines: list[str]

    @property
    def has_problem(self) -> bool:
        return self.outcome in ("held back", "failed")


def last_refresh(paths: DataPaths) -> LastRefresh | None:
    """The last refresh in the ledger; None if there is none or the ledger cannot be read."""
    if not paths.ledger.exists():
        return None
    try:
        refresh = Ledger(paths.ledger).last_refresh()
    except sqlite3.Error:
        return None
    if refresh is None:
        return None
    lines = [sanitize(line) for line in refresh.message.splitlines() if line.strip()]
    codes = dict.fromkeys(
        Code(match[1]) for line in lines if (match := re.match(r"([a-z-]+): ", line)) and match[1] in list(Code)
    )
    return LastRefresh(refresh.outcome, refresh.finished_at, [code.meaning for code in codes], lines)
