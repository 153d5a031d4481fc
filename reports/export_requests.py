"""The exports page: exports that can be downloaded, and exports that people requested on a page.

The command that starts the web server passes the function that writes an export; scheduled exports call the same function.
One export is written at a time. The server remembers the latest requests until it ends.

Not here: writing and deleting exports (`warehouse.export`).
"""

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from filelock import Timeout

from models.masking import masking_logger, sanitize
from reports.database import MARTS, Published
from warehouse.config.paths import DataPaths
from warehouse.export import (
    ON_REQUEST,
    Export,
    ExportRefused,
    FileFormat,
    RowSelection,
    export_time,
    has_phone_numbers,
    read_description,
)
from warehouse.ledger import now
from warehouse.storage.object_store import AnyPath, is_object, list_objects

MOST_REQUESTS = 20
"""The most requests that the server remembers."""

log = masking_logger("sendmart.reports")

RequestExport = Callable[[str, str | None, FileFormat, RowSelection | None], str]
"""Exports a report of one campaign, of some rows, or as a whole for None, and returns a message about the result."""


@dataclass(frozen=True)
class ExportedFile:
    """An export that can be downloaded until `kept_until` (UTC, like `exported_at`). `size` is in bytes.

    It is of one `campaign` or of the campaigns of a `filter`, in words, if it was requested so, else of the number of `campaigns`
    that changed, or of all if all three are None.
    """

    report: str
    path: AnyPath
    exported_at: datetime
    kept_until: datetime
    size: int
    rows: int | None
    campaigns: int | None
    campaign: str | None
    filter: str | None
    is_spreadsheet_with_whole_numbers: bool

    @property
    def file(self) -> str:
        return self.path.name


def exported_files(paths: DataPaths, retention_days: int) -> list[ExportedFile]:
    """The files in the export folders, the newest first. A file that is not named like an export is left out."""
    exports = []
    for report in ON_REQUEST:
        for path, size in _files_in(paths.exports / report):
            exported_at = export_time(report, path.name)
            if exported_at is None or path.suffix == ".json":
                continue
            described = _read_description(path, size)
            campaigns = described.campaigns if described and isinstance(described.campaigns, list) else None
            words = described.filter if described else None
            is_of_one = bool(campaigns) and words is None and not path.name.startswith(f"{report}_")
            # Release 0.2 wrote spreadsheets with whole numbers, and did not say so.
            has_whole_numbers = has_phone_numbers(report) and not (described and described.phone_numbers == "masked")
            exports.append(
                ExportedFile(
                    report,
                    path,
                    exported_at,
                    exported_at + timedelta(days=retention_days),
                    size,
                    described.rows if described else None,
                    campaigns=None if campaigns is None else len(campaigns),
                    campaign=campaigns[0] if campaigns and is_of_one else None,
                    filter=words,
                    is_spreadsheet_with_whole_numbers=path.suffix == f".{FileFormat.XLSX}" and has_whole_numbers,
                )
            )
    return sorted(exports, key=lambda export: (export.exported_at, export.file), reverse=True)


def campaign_names(published: Published, files: Iterable[ExportedFile]) -> dict[str, str]:
    """By id, the names of the campaigns that have an export of their own."""
    campaign_ids = [export.campaign for export in files if export.campaign is not None]
    query = f"select campaign_id, campaign_name from {MARTS}.campaigns where list_contains($campaigns, campaign_id)"
    return {row["campaign_id"]: row["campaign_name"] for row in published.rows(query, {"campaigns": campaign_ids})}


def _files_in(folder: AnyPath) -> list[tuple[AnyPath, int]]:
    """The files in a folder, or under a prefix, with their sizes."""
    if is_object(folder):
        return [(folder / name, info.size) for name, info in list_objects(folder).items()]
    inside = folder.iterdir() if folder.is_dir() else ()
    return [(path, path.stat().st_size) for path in inside if path.is_file() and not path.is_symlink()]


@lru_cache(maxsize=10_000)
def _read_description(path: AnyPath, _size: int) -> Export | None:
    """The description of an export. It is written before the export and never changes, so it may be cached."""
    return read_description(path)


@dataclass
class ExportRequest:
    """An export that a person requested."""

    report: str
    campaign: str | None
    file_format: FileFormat
    selection: RowSelection | None = None
    requested_at: datetime = field(default_factory=now, compare=False)
    future: Future[str] | None = field(default=None, compare=False)

    @property
    def is_pending(self) -> bool:
        return self.future is not None and not self.future.done()

    @property
    def state(self) -> str:
        if self.future is None or not (self.future.done() or self.future.running()):
            return "waiting"
        if self.future.running():
            return "being written"
        error = self.future.exception()
        return "could not be written: " + sanitize(str(error)) if error else sanitize(self.future.result())


class ExportRequests:
    """The exports that people requested, written one after the other in a thread; in `latest`, the newest first."""

    def __init__(self, export: RequestExport) -> None:
        self._export = export
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="export")
        self.latest: deque[ExportRequest] = deque(maxlen=MOST_REQUESTS)

    def submit(
        self, report: str, campaign: str | None, file_format: FileFormat, selection: RowSelection | None = None
    ) -> None:
        """Requests the export of a report, of one campaign, of some rows or as a whole, unless the same request is pending."""
        request = ExportRequest(report, campaign, file_format, selection)
        if any(request == pending for pending in self.latest if pending.is_pending):
            return
        request.future = self._worker.submit(self._write, report, campaign, file_format, selection)
        self.latest.appendleft(request)

    def _write(self, report: str, *request: Any) -> str:
        try:
            return self._export(report, *request)
        except ExportRefused:
            raise
        except Timeout as error:
            raise RuntimeError("a refresh is running; request the export again when it has ended") from error
        except Exception:
            log.exception("a requested export of %s could not be written", report)
            raise

    def close(self) -> None:
        """Waits for the export that is being written, and cancels the others."""
        self._worker.shutdown(wait=True, cancel_futures=True)
