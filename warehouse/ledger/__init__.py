"""The ledger: the warehouse's record of loaded files, builds, checks, publications, exports, erasures, runs, alerts and
report mails.

One small SQLite file. It stores facts only; what follows from them is derived (`quality.gate`). Each subject has a module with
its tables and methods; `Ledger` combines them. Not here: the rows of the logs (`warehouse.lake`).
"""

from warehouse.ledger.alerts import Alert, Alerts
from warehouse.ledger.builds import BUILDS_WITH_METRICS, Build, Builds
from warehouse.ledger.change_feed import Change, ChangeFeed
from warehouse.ledger.erasures import Erased, Erasures
from warehouse.ledger.exports import Exports
from warehouse.ledger.files import IN_FLIGHT, UNKNOWN_SHA256, Acceptance, Files, LoadedFile, LogFile, RecordedStat
from warehouse.ledger.publications import Override, Publication, Publications
from warehouse.ledger.replacements import Replacement, Replacements
from warehouse.ledger.report_mails import MailState, ReportMail, ReportMails
from warehouse.ledger.runs import Refresh, Runs
from warehouse.ledger.store import LedgerDamaged, now
from warehouse.ledger.summary import LogSummary, summarize_logs

__all__ = [
    "BUILDS_WITH_METRICS", "IN_FLIGHT", "UNKNOWN_SHA256", "Acceptance", "Alert", "Build", "Change", "Erased", "Ledger",
    "LedgerDamaged",
    "LoadedFile", "LogFile", "LogSummary", "MailState", "Override", "Publication", "RecordedStat", "Refresh", "Replacement",
    "ReportMail", "now", "summarize_logs",
]  # fmt: skip


class Ledger(Files, Replacements, ChangeFeed, Builds, Publications, Exports, Erasures, Runs, Alerts, ReportMails):
    """Reads and writes the ledger file; creates it on first use."""
