"""The ledger: what the warehouse knows of itself. Which content of which file was taken, what was built from it, which
checks it passed, what was published and exported, who was erased, what people were told, and what a person accepted.

One small SQLite file; every method is one transaction. Whatever can be derived from these facts is derived, not stored.
Each subject has a module with its tables and what is noted of it; here they are put together.

Not here: the rows themselves (`warehouse.lake.tables`), what the facts lead to (`quality.gate`).
"""

import sqlite3

from warehouse.ledger import alerts, builds, change_feed, erasures, exports, files, publications, runs
from warehouse.ledger.alerts import Alert
from warehouse.ledger.builds import BUILDS_WITH_FIGURES, Build
from warehouse.ledger.change_feed import Change
from warehouse.ledger.erasures import Erased
from warehouse.ledger.files import IN_FLIGHT, UNKNOWN_SHA256, Acceptance, LoadedFile
from warehouse.ledger.publications import Override, Publication
from warehouse.ledger.runs import Refresh
from warehouse.ledger.store import now

__all__ = [
    "BUILDS_WITH_FIGURES",
    "IN_FLIGHT",
    "UNKNOWN_SHA256",
    "Acceptance",
    "Alert",
    "Build",
    "Change",
    "Erased",
    "Ledger",
    "LoadedFile",
    "Override",
    "Publication",
    "Refresh",
    "now",
]

_SUBJECTS = (files, change_feed, builds, publications, exports, erasures, runs, alerts)


class Ledger(
    files.Files,
    change_feed.ChangeFeed,
    builds.Builds,
    publications.Publications,
    exports.Exports,
    erasures.Erasures,
    runs.Runs,
    alerts.Alerts,
):
    """Reads and writes the ledger file; made on first use."""

    schema = "".join(subject.SCHEMA for subject in _SUBJECTS)

    def _bring_up_to_date(self, connection: sqlite3.Connection) -> None:
        publications.bring_up_to_date(connection)
