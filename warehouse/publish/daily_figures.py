"""The figures of the published build by day, and the last day that its logs cover as a whole.

Not here: which figures raise an alert (`quality.figure_alerts`), the figures of the report pages (`reports/`).
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import duckdb

from models.figure_rules import DayFigures
from warehouse.config import DataPaths
from warehouse.duckdb_tools import attached
from warehouse.publish.published_file import read_build_info

_QUERY = """
    select
        day,
        sum(messages)::bigint as messages,
        sum(delivered)::bigint as delivered,
        sum(failed)::bigint as failed,
        sum(unsubscribes)::bigint as unsubscribes,
        sum(cost) as cost
    from published.insights.daily_totals
    where clock = 'event'
    group by day
    order by day
"""


def last_whole_day(data_until: date, zone: ZoneInfo) -> date:
    """The last day in `zone` that ended before the UTC day `data_until` did."""
    end = datetime.combine(data_until, time(), UTC) + timedelta(days=1)
    return end.astimezone(zone).date() - timedelta(days=1)


def daily_figures(paths: DataPaths, zone: ZoneInfo) -> list[DayFigures]:
    """The figures of each day, from the first with any to the last whole day; a day with nothing has zeros.

    Empty if nothing is published, or the build has no insights.
    """
    if not paths.published_marts.exists():
        return []
    data_until = read_build_info(paths.published_marts).data_until
    with attached(published=paths.published_marts) as connection:
        try:
            rows = connection.execute(_QUERY).fetchall()
        except duckdb.CatalogException:
            return []
    if not rows or data_until is None:
        return []
    by_day = {row[0]: DayFigures(*row) for row in rows}
    first, last = min(by_day), last_whole_day(data_until, zone)
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return [by_day.get(day, DayFigures(day)) for day in days]
