"""The state of the warehouse for Prometheus: how old the figures are, and how loading went. It has no figures of campaigns.

The ledger is read where there is one: pages on another machine have the published file only.

Not here: whether the pages work (`reports.pages.health`), the same for programs (`sendmart status --json`).
"""

import sqlite3
from datetime import UTC, datetime
from functools import partial

import duckdb
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from models.masking import mask_error, masking_logger
from reports.database import NothingPublished
from reports.site import Site
from warehouse.ledger import Ledger, summarize_logs

log = masking_logger("sendmart.reports")


def routes(site: Site) -> list[Route]:
    return [Route("/metrics", partial(metrics, site))]


def metrics(site: Site, request: Request) -> Response:
    """The gauges in Prometheus' text format. A part that cannot be read is left out."""
    registry = CollectorRegistry()
    _add_published_build(registry, site)
    if site.paths.ledger.exists():
        try:
            _add_ledger(registry, Ledger(site.paths.ledger, site.paths.find_data))
        except sqlite3.Error as error:
            mask_error(error)
            log.error("the ledger cannot be read: %s", error)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def _add_published_build(registry: CollectorRegistry, site: Site) -> None:
    try:
        with site.database.open() as published:
            info = published.info
    except (NothingPublished, duckdb.Error, OSError):
        return
    _set(registry, "published_timestamp_seconds", "When the published build was published first.", info["published_at"])
    if (day := info["data_until"]) is not None:
        midnight = datetime(day.year, day.month, day.day)
        _set(registry, "data_until_timestamp_seconds", "Begin of the last log date with rows, in UTC.", midnight)


def _add_ledger(registry: CollectorRegistry, ledger: Ledger) -> None:
    last, success = ledger.last_refresh(), ledger.last_good_refresh()
    if last is not None:
        _set(registry, "last_refresh_timestamp_seconds", "End of the last refresh.", last.finished_at)
        seconds = (last.finished_at - last.started_at).total_seconds()
        _set(registry, "last_refresh_duration_seconds", "How long the last refresh took.", seconds)
        outcome = _gauge(registry, "last_refresh_outcome", "The outcome of the last refresh.", ["outcome"])
        outcome.labels(last.outcome).set(1)
        is_held_back = last.outcome == "held back" and not ledger.published_since(last.finished_at)
        _set(
            registry, "held_back", "1 if the last refresh was held back and nothing was published since.", is_held_back
        )
    if success is not None:
        help_text = "End of the last refresh that published or found nothing new."
        _set(registry, "last_success_timestamp_seconds", help_text, success.finished_at)
    accepted = _gauge(registry, "accepted_rows", "Rows of loaded log files.", ["log"])
    rejected = _gauge(registry, "rejected_rows", "Rows in quarantine.", ["log"])
    share = _gauge(
        registry, "rejected_share", "Rows in quarantine, as a share of all rows of the log, 0 to 1.", ["log"]
    )
    refused = _gauge(registry, "refused_files", "Log files that were refused.", ["log"])
    for name, summary in summarize_logs(ledger.files()).items():
        accepted.labels(name).set(summary.accepted_rows)
        rejected.labels(name).set(summary.rejected_rows)
        rows = summary.accepted_rows + summary.rejected_rows
        share.labels(name).set(summary.rejected_rows / rows if rows else 0)
        refused.labels(name).set(summary.refused_files)


def _set(registry: CollectorRegistry, name: str, help_text: str, value: datetime | float) -> None:
    if isinstance(value, datetime):
        value = value.replace(tzinfo=UTC).timestamp()
    _gauge(registry, name, help_text).set(value)


def _gauge(registry: CollectorRegistry, name: str, help_text: str, labels: list[str] | None = None) -> Gauge:
    return Gauge(f"sendmart_{name}", help_text, labels or [], registry=registry)
