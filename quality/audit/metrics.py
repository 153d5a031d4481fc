"""Computes the metrics of a build: by mart, volumes and shares that tell an ordinary build from an incident.
`metric_queries/<mart>.sql` gives one row of them; its macros `share` and `share_of_campaigns` are null unless the whole is
large enough.

Not here: the ranges that metrics are expected in (`quality.audit.suites`, `quality.audit.anomalies`).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

import duckdb

from models.enums import Log
from quality.audit.formatting import error_text, format_value

MIN_DENOMINATOR, MIN_CAMPAIGNS = 100, 20
"""The fewest messages, contacts, clicks, orders or events that a share is taken of, and the fewest campaigns."""

_MACROS = f"""
    create temporary macro share(part, whole) as
        case when whole >= {MIN_DENOMINATOR} then cast(part as double) / whole end;
    create temporary macro share_of_campaigns(part, campaigns) as
        case when campaigns >= {MIN_CAMPAIGNS} then cast(part as double) / campaigns end;
"""

_QUERIES = Path(__file__).parent / "metric_queries"

_AGGREGATES = ("audit_window", "status_counts")
"""The temporary tables that the queries read, in the order in which they are created from queries of their names."""

PROVIDER_PREFIX = "contacts decided by "
"""The metric of a provider is called by this and the provider's name."""


@dataclass(frozen=True)
class BuildFacts:
    """Facts about a build that its marts do not hold: its latest log date and the time of its audit in UTC. `logs` holds, by
    log, its last log date and its rows of the build's latest log date.
    """

    build_id: str = "candidate"
    data_until: date | None = None
    audited_at: datetime | None = None
    logs: Mapping[Log, tuple[date | None, int]] = field(default_factory=dict)


LOGS_OF_MART = {
    "campaign_metrics": (Log.SENDS, Log.CLICKS),
    "delivery_status": (Log.RECEIPTS,),
    "attributed_unsubscribes": (Log.UNSUBSCRIBES,),
    "attributed_orders": (Log.ORDERS,),
    "campaigns": (Log.CAMPAIGNS,),
    "unconverted_orders": (Log.EXCHANGE_RATES,),
}
"""By mart, the logs whose freshness is reported with it."""


def create_aggregates(cursor: duckdb.DuckDBPyConnection, data_until: date | None) -> list[str]:
    """Creates the temporary macros and tables of the metric queries on a cursor whose default is the schema `marts` of the
    candidate. Returns the errors.
    """
    errors = []
    cursor.execute(f"use candidate.marts; {_MACROS}")
    cursor.execute("create temporary table audited_build as select $1::date as data_until", [data_until])
    for name in _AGGREGATES:
        try:
            cursor.execute(f"create temporary table {name} as {_query(name)}")
        except duckdb.Error as error:
            errors.append(f"{name}: {error_text(error)}")
    return errors


def _query(name: str) -> str:
    return (_QUERIES / f"{name}.sql").read_text(encoding="utf-8")


def compute_metrics(cursor: duckdb.DuckDBPyConnection, mart: str, facts: BuildFacts) -> dict[str, float | None]:
    """The metrics of a mart, null where there is too little to take a share of. Raises duckdb.Error if a relation or column
    is missing.
    """
    metrics: dict[str, float | None] = {**freshness_metrics(mart, facts)}
    if (_QUERIES / f"{mart}.sql").exists():
        (row,) = cursor.execute(_query(mart)).fetchall()
        metrics |= zip((column[0] for column in cursor.description or ()), row, strict=True)
    if mart == "delivery_status":
        providers = cursor.execute(_query("providers")).fetchall()
        metrics |= {f"{PROVIDER_PREFIX}{format_value('provider', name)}": contacts for name, contacts in providers}
    return {
        name: float(value) if value is not None and math.isfinite(value) else None for name, value in metrics.items()
    }


def freshness_metrics(mart: str, facts: BuildFacts) -> dict[str, float]:
    """Of a mart's logs: days behind, and rows of the build's latest log date. Empty for a build without a log date."""
    metrics: dict[str, float] = {}
    if facts.data_until is None:
        return metrics
    if mart == "campaign_metrics" and facts.audited_at is not None:
        metrics["days_behind"] = (facts.audited_at.date() - facts.data_until).days
    for log in LOGS_OF_MART.get(mart, ()):
        latest, rows_of_last_day = facts.logs.get(log, (None, 0))
        if latest is not None:
            metrics[f"{log}_days_behind"] = (facts.data_until - latest).days
            metrics[f"{log}_rows_of_last_day"] = rows_of_last_day
    return metrics
