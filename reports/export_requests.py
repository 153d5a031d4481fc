"""Exports: those that can be fetched, and those that a person asked for here and that are being written.

An export is asked for, not written here: whoever starts the web server hands in the function that the schedule calls too.
One is written at a time; what became of those asked for is remembered as long as the server runs.

Not here: how exports are written and pruned (`warehouse.export.exports`).
"""

import json
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache

from filelock import Timeout

from models.masking import masking_logger, sanitize
from reports.database import MARTS, Published
from warehouse.config.paths import DataPaths
from warehouse.export import ON_REQUEST, ExportRefused, FileFormat, export_time, has_phone_numbers
from warehouse.ledger import now
from warehouse.storage.object_store import AnyPath, is_object, list_objects, read

LABELS = {
    "campaign_metrics": "SMS/MMS reports: the campaign table",
    "campaign_overview": "Campaign overviews",
    "delivery_status": "Delivery details, by contact",
    "skip_reasons": "SMS skipped, by contact",
    "attributed_unsubscribes": "Unsubscribes",
    "attributed_orders": "Orders, by campaign credited",
}

REMEMBERED = 20

log = masking_logger("sendmart.reports")

RequestExport = Callable[[str, str | None, FileFormat], str]
"""Exports a report, of one campaign or of all; gives what came of it, in words."""


@dataclass(frozen=True)
class ExportedFile:
    """An export that can be fetched until `kept_until`: of `campaign`, where it was asked for of one alone, else of as many
    as `campaigns` says, or of all.
    """

    report: str
    file: str
    exported_at: datetime
    kept_until: datetime
    size: int
    rows: int | None
    campaigns: int | None
    campaign: str | None
    path: AnyPath
    is_spreadsheet_with_whole_numbers: bool


def exported_files(paths: DataPaths, retention_days: int) -> list[ExportedFile]:
    """What lies in the folders of the reports, the newest first. A name that no export gives is passed over."""
    found = []
    for report in ON_REQUEST:
        folder = paths.exports / report
        for name, size in _files_in(folder):
            exported_at = export_time(report, name)
            if exported_at and not name.endswith(".json"):
                told = _told(folder / name)
                campaigns = told.get("campaigns")
                several = campaigns if isinstance(campaigns, list) else None
                found.append(
                    ExportedFile(
                        report,
                        name,
                        exported_at,
                        exported_at + timedelta(days=retention_days),
                        size,
                        told.get("rows"),
                        None if several is None else len(several),
                        several[0] if several and not name.startswith(f"{report}_") else None,
                        folder / name,
                        # Release 0.2 wrote spreadsheets with whole numbers, and did not say so.
                        name.endswith(f".{FileFormat.XLSX}")
                        and has_phone_numbers(report)
                        and told.get("phone_numbers") != "masked",
                    )
                )
    return sorted(found, key=lambda export: (export.exported_at, export.file), reverse=True)


def names_of(published: Published, files: Iterable[ExportedFile]) -> dict[str, str]:
    """By id, the names of the campaigns of which an export was asked for."""
    asked_for = [export.campaign for export in files if export.campaign is not None]
    found = f"select campaign_id, campaign_name from {MARTS}.campaigns where list_contains($campaigns, campaign_id)"
    return {row["campaign_id"]: row["campaign_name"] for row in published.rows(found, {"campaigns": asked_for})}


def _files_in(folder: AnyPath) -> list[tuple[str, int]]:
    """The names and sizes of the files in a folder, or under a prefix."""
    if is_object(folder):
        return [(name, one.size) for name, one in list_objects(folder).items()]
    inside = folder.iterdir() if folder.is_dir() else ()
    return [(path.name, path.stat().st_size) for path in inside if path.is_file() and not path.is_symlink()]


@lru_cache(maxsize=10_000)
def _told(path: AnyPath) -> dict:
    """What the `.json` beside an export says, which was there before it and stays as it is."""
    described = path.with_suffix(".json")
    try:
        return json.loads(read(described) if is_object(described) else described.read_bytes())
    except (OSError, ValueError):
        return {}


@dataclass
class Request:
    """An export that a person asked for."""

    report: str
    campaign: str | None
    file_format: FileFormat
    asked_at: datetime = field(default_factory=now)
    future: Future[str] | None = None

    @property
    def is_open(self) -> bool:
        return self.future is not None and not self.future.done()

    @property
    def state(self) -> str:
        if self.future is None or not (self.future.done() or self.future.running()):
            return "waiting for its turn"
        if self.future.running():
            return "being written"
        error = self.future.exception()
        return "could not be written: " + sanitize(str(error)) if error else sanitize(self.future.result())


class Requests:
    """The exports that people asked for, written one after the other."""

    def __init__(self, export: RequestExport) -> None:
        self._export = export
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="export")
        self._asked: deque[Request] = deque(maxlen=REMEMBERED)

    def ask(self, report: str, campaign: str | None, file_format: FileFormat) -> None:
        """Has a report exported, of one campaign or of all, unless it is already waited for."""
        asked = (report, campaign, file_format)
        if any(one.is_open and (one.report, one.campaign, one.file_format) == asked for one in self._asked):
            return
        request = Request(*asked)
        request.future = self._worker.submit(self._write, *asked)
        self._asked.appendleft(request)

    def _write(self, report: str, campaign: str | None, file_format: FileFormat) -> str:
        try:
            return self._export(report, campaign, file_format)
        except ExportRefused:
            raise
        except Timeout as error:
            raise RuntimeError("a refresh is at work; ask again when it has ended") from error
        except Exception:
            log.exception("an export of %s that was asked for could not be written", report)
            raise

    @property
    def asked(self) -> list[Request]:
        """The newest first."""
        return list(self._asked)

    @property
    def is_any_open(self) -> bool:
        return any(request.is_open for request in self._asked)

    def close(self) -> None:
        """Lets the one that is being written end; those that wait are not written."""
        self._worker.shutdown(wait=True, cancel_futures=True)
