"""The ledger: the warehouse's record of loaded files, builds, checks, publications, exports, erasures, runs, alerts and
accepted files.

One small SQLite file; every method is one transaction. The ledger stores facts only; what follows from them is derived.
Each subject has a module with its tables and methods; `Ledger` combines them.

Not here: the rows of the logs (`warehouse.lake`), decisions that follow from the facts (`quality.gate`).
"""

import sqlite3

from warehouse.ledger import alerts, builds, change_feed, erasures, exports, files, publications, runs
from warehouse.ledger.alerts import Alert
from warehouse.ledger.builds import BUILDS_WITH_METRICS, Build
from warehouse.ledger.change_feed import Change
from warehouse.ledger.erasures import Erased
from warehouse.ledger.files import IN_FLIGHT, UNKNOWN_SHA256, Acceptance, LoadedFile, LogFile, RecordedStat
from warehouse.ledger.publications import Override, Publication
from warehouse.ledger.runs import Refresh
from warehouse.ledger.store import now

__all__ = [
    "BUILDS_WITH_METRICS", "IN_FLIGHT", "UNKNOWN_SHA256", "Acceptance", "Alert", "Build", "Change", "Erased", "Ledger",
    "LoadedFile", "LogFile", "Override", "Publication", "RecordedStat", "Refresh", "now",
]  # fmt: skip

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
    """Reads and writes the ledger file; creates it on first use."""

    schema = "".join(subject.SCHEMA for subject in _SUBJECTS)

    def _migrate(self, connection: sqlite3.Connection) -> None:
        publications.migrate(connection)
