"""Alerts on the figures of days: which days break a rule, and that each is told once."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from models.enums import Log
from models.figure_rules import EXAMPLE, DayFigures, parse_rules
from models.marts import columns, qualified
from orchestration import notifications
from orchestration.stages import AppContext
from quality.figure_alerts import DAYS_CHECKED, breaches, describe
from tests.receivers import Receiver, webhook
from warehouse.config.settings import Settings, SettingsError, load_settings
from warehouse.ledger import Refresh
from warehouse.publish.daily_figures import daily_figures, last_whole_day

SUNDAY = date(2026, 3, 1)
USUAL = DayFigures(SUNDAY, messages=1000, delivered=970, failed=30, unsubscribes=2, cost=Decimal(40))


def _history(weeks: int, **last: object) -> list[DayFigures]:
    """Days like each other with small differences, and a last day with other figures."""
    days = []
    for at in range(7 * weeks + 1):
        day = SUNDAY - timedelta(days=7 * weeks - at)
        failed = 28 + at % 5
        days.append(replace(USUAL, day=day, delivered=1000 - failed, failed=failed, cost=USUAL.cost + at % 3))
    return [*days[:-1], replace(days[-1], **last)]  # type: ignore[arg-type]


def _lines(rules: str, days: list[DayFigures]) -> list[str]:
    return [describe(breach, "EUR") for breach in breaches(parse_rules(rules), days)]


@pytest.mark.parametrize(
    ("rule", "last", "line"),
    [
        (
            "delivery_rate<0.9", {"delivered": 890, "failed": 110},
            "2026-03-01: delivery rate 89.0 % (890 of 1,000 messages with a final status). The limit is delivery_rate<0.9.",
        ),
        ("delivery_rate<0.9", {"delivered": 900, "failed": 100}, None),
        ("delivery_rate<0.9", {"delivered": 9, "failed": 90}, None),
        (
            "unsubscribes_per_1000>5", {"unsubscribes": 60, "delivered": 1180},
            "2026-03-01: unsubscribes per 1,000 delivered 10.3 (72 of 7,002 delivered since 2026-02-23). The limit is"
            " unsubscribes_per_1000>5.",
        ),
        ("cost>400", {"cost": Decimal("400.01")}, "2026-03-01: cost EUR 400.01. The limit is cost>400."),
        ("cost>400", {"cost": Decimal(400)}, None),
        ("messages<1", {"messages": 0}, "2026-03-01: sent messages 0. The limit is messages<1."),
        (
            "delivery_rate unusual", {"delivered": 900, "failed": 100},
            "2026-03-01: delivery rate 90.0 % (900 of 1,000 messages with a final status). Usual is at least 92.0 %: the"
            " median of 8 earlier Sundays is 97.0 %.",
        ),
        ("delivery_rate unusual", {"delivered": 930, "failed": 70}, None),
        ("unsubscribes_per_1000 unusual", {"unsubscribes": 15}, None),
        (
            "unsubscribes_per_1000 unusual", {"unsubscribes": 40},
            "2026-03-01: unsubscribes per 1,000 delivered 7.7 (52 of 6,793 delivered since 2026-02-23). Usual is at most 4.3:"
            " the median of 8 earlier Sundays is 2.1.",
        ),
        (
            "cost unusual", {"cost": Decimal(90)},
            "2026-03-01: cost EUR 90.00. Usual is at most EUR 84.00: the median of 8 earlier Sundays is EUR 41.00.",
        ),
        ("cost unusual", {"cost": Decimal(80)}, None),
        (
            "messages unusual", {"messages": 0},
            "2026-03-01: sent messages 0. Usual is at least 500: the median of 8 earlier Sundays is 1,000.",
        ),
        ("messages unusual", {"messages": 600}, None),
    ],
)  # fmt: skip
def test_a_day_breaks_a_rule_or_not(rule: str, last: dict[str, object], line: str | None) -> None:
    assert _lines(rule, _history(8, **last)) == ([line] if line else [])


def test_a_short_history_is_no_limit() -> None:
    quiet = {"messages": 0, "delivered": 0, "failed": 1000, "cost": Decimal(10_000)}
    rules = "delivery_rate unusual, cost unusual, messages unusual, unsubscribes_per_1000 unusual"
    assert _lines(rules, _history(3, **quiet)) == []
    assert len(_lines(rules, _history(4, **quiet))) == 3


def test_an_account_that_does_not_send_each_week_may_send_nothing() -> None:
    days = _history(8, messages=0)
    days[-8] = replace(days[-8], messages=0)
    assert _lines("messages unusual", days) == []


def test_the_last_days_are_checked_but_those_that_lack_a_log() -> None:
    days = [replace(day, messages=0) for day in _history(2)]
    found = breaches(parse_rules("messages<1"), days, {SUNDAY - timedelta(days=1)})
    assert [breach.day for breach in found] == [SUNDAY - timedelta(days=DAYS_CHECKED - 1), SUNDAY]


@pytest.mark.parametrize(
    ("zone", "day"),
    [("UTC", 9), ("America/New_York", 8), ("Asia/Kathmandu", 9), ("Pacific/Kiritimati", 9), ("Etc/GMT+12", 8)],
)
def test_the_last_whole_day_has_ended_in_its_time_zone(zone: str, day: int) -> None:
    assert last_whole_day(date(2026, 3, 9), ZoneInfo(zone)) == date(2026, 3, day)


@pytest.mark.parametrize(
    "rules",
    ["delivery_rate", "delivery_rate<", "delivery_rate<90%", "revenue<5", "cost>1;messages<1", "cost unusual,", ""],
)
def test_an_invalid_rule_is_named(rules: str) -> None:
    with pytest.raises(ValueError, match=r"must be rules on delivery_rate, .*; not a rule: '"):
        parse_rules(rules)


def test_rules_are_a_setting_that_needs_insights(bare_environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENDMART_FIGURE_ALERTS", EXAMPLE.upper().lower().replace("<", " < "))
    assert load_settings().figure_alerts == EXAMPLE
    monkeypatch.setenv("SENDMART_INSIGHTS", "false")
    with pytest.raises(SettingsError, match="SENDMART_FIGURE_ALERTS: needs SENDMART_INSIGHTS=true"):
        load_settings()
    monkeypatch.setenv("SENDMART_FIGURE_ALERTS", "opens<5")
    with pytest.raises(SettingsError, match="SENDMART_FIGURE_ALERTS: must be rules"):
        load_settings()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with webhook() as server:
        yield server


@pytest.fixture
def warehouse(tmp_path: Path, bare_environment: Path, receiver: Receiver) -> AppContext:
    """A published build until 2026-03-09 with messages on two of five days."""
    context = AppContext.of(
        Settings(
            data=tmp_path / "data", landing=tmp_path / "landing", alerts=receiver.url,
            figure_alerts="messages<1, cost>10, delivery_rate<0.5",
        )
    )  # fmt: skip
    assert context.ledger.last_publication() is None  # creates the ledger, which published files need
    context.paths.published_marts.parent.mkdir(parents=True)
    with duckdb.connect(context.paths.published_marts) as connection:
        connection.execute("create schema marts; create schema insights")
        for mart in ("build_info", "daily_totals"):
            columns_sql = ", ".join(f"{column.name} {column.sql_type}" for column in columns(mart))
            connection.execute(f"create table {qualified(mart)} ({columns_sql})")
        connection.execute("""
            insert into marts.build_info (build_id, published_at, data_until) values ('b1', '2026-03-10', '2026-03-09');
            insert into insights.daily_totals (day, campaign_type, clock, messages, delivered, failed, unsubscribes, cost)
            values ('2026-03-05', 'SMS', 'event', 100, 90, 10, 1, 6), ('2026-03-05', 'MMS', 'event', 10, 10, 0, 1, 5.5),
                ('2026-03-05', 'SMS', 'sent', 0, 0, 0, 0, 99), ('2026-03-09', null, 'event', 200, 40, 160, 0, 12),
                ('2026-03-10', 'SMS', 'event', 900, 900, 0, 0, 900);
        """)
    return context


def test_figures_of_days_are_those_of_their_events_until_the_last_whole_day(warehouse: AppContext) -> None:
    days = daily_figures(warehouse.paths, ZoneInfo("UTC"))
    assert days[0] == DayFigures(date(2026, 3, 5), 110, 100, 10, 2, Decimal("11.5"))
    assert [day.messages for day in days] == [110, 0, 0, 0, 200]
    assert daily_figures(warehouse.paths, ZoneInfo("America/Lima"))[-1].day == date(2026, 3, 8)


def test_a_day_is_told_once(warehouse: AppContext, receiver: Receiver) -> None:
    for night in range(3):
        notifications.notify_refresh(warehouse, _refresh(night))
    (alert,) = receiver.alerts
    assert (alert["title"], alert["type"]) == ("Sendmart: figures out of range", "failure")
    assert alert["message"].splitlines()[1:-1] == [
        "2026-03-07: sent messages 0. The limit is messages<1.",
        "2026-03-08: sent messages 0. The limit is messages<1.",
        "2026-03-09: cost USD 12.00. The limit is cost>10.",
        "2026-03-09: delivery rate 20.0 % (40 of 200 messages with a final status). The limit is delivery_rate<0.5.",
    ]
    with duckdb.connect(warehouse.paths.published_marts) as connection:
        connection.execute("update marts.build_info set data_until = '2026-03-10'")
    notifications.notify_refresh(warehouse, _refresh(3))
    assert receiver.alerts[1]["message"].splitlines()[1:-1] == ["2026-03-10: cost USD 900.00. The limit is cost>10."]
    assert len(receiver.alerts) == 2


def test_a_day_that_lacks_a_file_is_told_when_the_file_has_arrived(warehouse: AppContext, receiver: Receiver) -> None:
    for log, day in itertools.product((Log.SENDS, Log.CLICKS), (4, 5, 6, 7, 9)):
        folder = warehouse.settings.landing / log
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"2026-03-0{day}.csv").touch()
    notifications.notify_figures(warehouse, notifications.figure_breaches(warehouse))
    assert "2026-03-08" not in receiver.alerts[0]["message"]
    (warehouse.settings.landing / Log.SENDS / "2026-03-08.csv").touch()
    notifications.notify_figures(warehouse, notifications.figure_breaches(warehouse))
    assert receiver.alerts[1]["message"].splitlines()[1:-1] == ["2026-03-08: sent messages 0. The limit is messages<1."]


def test_without_insights_or_rules_nothing_is_told(warehouse: AppContext, receiver: Receiver) -> None:
    quiet = AppContext.of(warehouse.settings.model_copy(update={"figure_alerts": None}))
    notifications.notify_refresh(quiet, _refresh(0))
    with duckdb.connect(warehouse.paths.published_marts) as connection:
        connection.execute("drop schema insights cascade")
    notifications.notify_refresh(warehouse, _refresh(1))
    assert receiver.alerts == []


def _refresh(night: int) -> Refresh:
    started_at = datetime(2026, 3, 10, 3, 30, tzinfo=UTC) + timedelta(days=night)
    return Refresh(started_at, started_at + timedelta(minutes=5), "published", "")
