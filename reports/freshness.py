"""How fresh the figures are, and what the last refresh held back: what stands at the head of every page.

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
    """How the last refresh ended, in plain words; `meanings` are those of the codes that it named."""

    outcome: str
    at: datetime
    meanings: list[str]
    lines: list[str]

    @property
    def is_trouble(self) -> bool:
        return self.outcome in ("held back", "failed")


def last_refresh(paths: DataPaths) -> LastRefresh | None:
    """The last refresh that the ledger knows; None without any, or where the ledger cannot be read."""
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
        Code(found[1]) for line in lines if (found := re.match(r"([a-z-]+): ", line)) and found[1] in list(Code)
    )
    return LastRefresh(refresh.outcome, refresh.finished_at, [code.meaning for code in codes], lines)
