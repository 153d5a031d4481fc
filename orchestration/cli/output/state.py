"""The state of the warehouse, for monitors: `sendmart status --json`. docs/schemas/status.schema.json describes it.

Not here: the state for people (`orchestration.cli.output.status`), that for Prometheus (`reports.pages.metrics`).
"""

from datetime import date, datetime

from pydantic import BaseModel

from models.enums import Log
from models.masking import sanitize
from orchestration.stages import AppContext, missing_days
from warehouse.ledger import Refresh, now, summarize_logs
from warehouse.publish.publication import published_build


class RefreshState(BaseModel):
    """A refresh. Times are in UTC."""

    started_at: datetime
    finished_at: datetime
    seconds: float
    outcome: str
    """published, nothing new, held back, failed or interrupted; not finished while it runs, or if it was killed."""
    message: str
    """Why it was held back or failed, a line for each reason; empty if it succeeded."""


class PublishedState(BaseModel):
    """The published build."""

    build_id: str
    published_at: datetime
    data_until: date | None
    """The last log date with rows."""
    rolled_back_from: str | None
    """The build that was published before, if a rollback published this one."""


class LogState(BaseModel):
    """What has been loaded of a log."""

    files: int
    accepted_rows: int
    rejected_rows: int
    refused_files: int
    first_log_date: date | None
    last_log_date: date | None


class CheckState(BaseModel):
    """A failed check of the candidate."""

    name: str
    is_blocking: bool
    detail: str


class WarehouseState(BaseModel):
    """The state of a data folder."""

    at: datetime
    """When it was read, in UTC."""
    last_refresh: RefreshState | None
    last_success_at: datetime | None
    """End of the last refresh that published or found nothing new, in UTC."""
    is_held_back: bool
    """The last refresh was held back, and no build was published since."""
    published: PublishedState | None
    """None if nothing is published, or if the published file cannot be read."""
    logs: dict[Log, LogState]
    missing_days: dict[Log, list[date]]
    """Days that are due and have no file; logs without such a day are left out."""
    failed_checks: list[CheckState]


def warehouse_state(context: AppContext) -> WarehouseState:
    """Reads the state; changes nothing."""
    ledger = context.ledger
    last, success, candidate = ledger.last_refresh(), ledger.last_good_refresh(), ledger.candidate()
    checks = ledger.checks(candidate.build_id) if candidate else []
    return WarehouseState(
        at=now(),
        last_refresh=_refresh_state(last) if last else None,
        last_success_at=success.finished_at if success else None,
        is_held_back=last is not None and last.outcome == "held back" and not ledger.published_since(last.finished_at),
        published=_published_state(context),
        logs={log: LogState(**vars(summary)) for log, summary in summarize_logs(ledger.files()).items()},
        missing_days={log: days for log, days in missing_days(context).items() if days},
        failed_checks=[
            CheckState(name=check.name, is_blocking=check.is_blocking, detail=sanitize(check.detail))
            for check in checks
            if not check.passed
        ],
    )


def _refresh_state(refresh: Refresh) -> RefreshState:
    seconds = (refresh.finished_at - refresh.started_at).total_seconds()
    message = "\n".join(sanitize(line) for line in refresh.message.splitlines())
    return RefreshState(
        started_at=refresh.started_at,
        finished_at=refresh.finished_at,
        seconds=seconds,
        outcome=refresh.outcome,
        message=message,
    )


def _published_state(context: AppContext) -> PublishedState | None:
    build = published_build(context.paths)
    publications = context.ledger.publications()
    if build is None or not publications:
        return None
    return PublishedState(
        build_id=build.build_id,
        published_at=build.published_at,
        data_until=build.data_until,
        rolled_back_from=publications[-1].rolled_back_from,
    )
