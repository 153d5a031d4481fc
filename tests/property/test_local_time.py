"""Local times in SQL, and the clicks over time of a page, in every time zone of Python's database.

Not here: days of the report's time zone in insights (`tests/property/test_figures.py`).
"""

from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import duckdb
import pytest

from reports.database import Published
from reports.queries.campaign import over_time
from warehouse.duckdb_tools import clock_changes, local_time_sql

ZONES = sorted(available_timezones() - {"localtime", "Factory", "posixrules"})
TODAY = datetime(2026, 7, 1, tzinfo=UTC)
SINCE_1990 = [datetime(1990, 1, 1, tzinfo=UTC) + timedelta(days=31, minutes=7) * number for number in range(700)]


def local_time(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)


def test_a_local_time_is_that_of_python_in_every_zone_and_around_every_clock_change() -> None:
    by_changes: dict[tuple, list[ZoneInfo]] = {}
    for zone in map(ZoneInfo, ZONES):
        by_changes.setdefault(clock_changes(zone), []).append(zone)
    with duckdb.connect() as connection:
        for changes, zones in by_changes.items():
            around_changes = [
                change + around for change, _ in changes[1:] for around in (-timedelta(microseconds=1), timedelta())
            ]
            moments = SINCE_1990 + around_changes
            cursor = connection.execute(
                f"select {local_time_sql('utc', zones[0])} from (select unnest($moments::timestamp[]) as utc)",
                {"moments": [moment.replace(tzinfo=None) for moment in moments]},
            )
            shown = [row[0] for row in cursor.fetchall()]
            for zone in zones:
                assert shown == [local_time(moment, zone) for moment in moments], zone


AROUND_THE_CHANGE = [
    timedelta(seconds=seconds)
    for seconds in (-90_061, -3_600, -1_801, -901, -60, -1, 0, 1, 59, 60, 900, 1_800, 5_400, 90_000)
]


@pytest.fixture(scope="module")
def events() -> dict[str, list[datetime]]:
    """By zone, UTC times around its latest two clock changes. Of zones with the same two changes, only the first is there."""
    events = {}
    for name in ZONES:
        past = [change for change in clock_changes(ZoneInfo(name)) if change[0] < TODAY][-2:]
        moments = [change + around for change, _ in past for around in AROUND_THE_CHANGE]
        offsets = tuple(moment.astimezone(ZoneInfo(name)).utcoffset() for moment in moments)
        events.setdefault((tuple(moments), offsets), name)
    return {name: list(moments) for (moments, _), name in events.items()}


@pytest.fixture(scope="module")
def published(events: dict[str, list[datetime]]) -> Published:
    """A build with two campaigns for each zone: one around its last clock change, and one around the last two."""
    connection = duckdb.connect()
    connection.execute("attach ':memory:' as published; create schema published.marts")
    connection.execute(
        "create table published.marts.attributed_orders (campaign_id varchar, attribution varchar, ordered_at timestamp);"
        "create table published.marts.campaign_clicks_by_minute (campaign_id varchar, minute_at timestamp, clicks bigint)"
    )
    rows = [
        (campaign_id, moment.replace(tzinfo=None))
        for name, moments in events.items()
        for campaign_id, selected in ((name, moments[-len(AROUND_THE_CHANGE) :]), (f"{name} twice", moments))
        for moment in selected
    ]
    columns = {"campaigns": [row[0] for row in rows], "moments": [row[1] for row in rows]}
    events_sql = "(select unnest($campaigns::varchar[]) as campaign_id, unnest($moments::timestamp[]) as moment)"
    connection.execute(
        f"insert into published.marts.attributed_orders select campaign_id, 'direct', moment from {events_sql}", columns
    )
    connection.execute(
        "insert into published.marts.campaign_clicks_by_minute"
        f" select campaign_id, date_trunc('minute', moment), count(*) from {events_sql} group by all",
        columns,
    )
    return Published(connection)


STARTS = {
    "hour": {"minute": 0},
    "day": {"minute": 0, "hour": 0},
    "month": {"minute": 0, "hour": 0, "day": 1},
}


def test_clicks_and_orders_of_a_page_are_in_their_local_hours_and_days_in_every_zone(
    published: Published, events: dict[str, list[datetime]]
) -> None:
    assert len(events) > 100
    steps = set()
    for name, moments in events.items():
        for campaign_id, selected in ((name, moments[-len(AROUND_THE_CHANGE) :]), (f"{name} twice", moments)):
            for shown in over_time(published, campaign_id, name):
                assert shown
                steps.add(shown.by)
                starts = STARTS[shown.by] | {"second": 0, "microsecond": 0}
                expected = Counter(local_time(moment, ZoneInfo(name)).replace(**starts) for moment in selected)
                counted = dict(zip(shown.moments, shown.series[0].counts, strict=True))
                assert {moment: count for moment, count in counted.items() if count} == expected, (name, shown.by)
    assert steps == {"hour", "day", "month"}
