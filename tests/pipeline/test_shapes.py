"""One contact with very many messages, one order after very many clicks: right figures in little memory."""

import csv
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from models.enums import Log
from orchestration import stages
from orchestration.stages import AppContext
from tests.oracle.admission import read_landing
from tests.oracle.compare import differences
from tests.oracle.marts import compute
from tests.oracle.rules import Settings as OracleSettings
from tests.oracle.rules import load_vocabulary
from tests.running import all_marts, environment, environment_of, mart_rows
from warehouse.config.settings import load_settings

FIRST = datetime(2026, 1, 5, 8)
MINUTE = timedelta(minutes=1)
CAMPAIGNS = 10
ORDERS = 5


def _write(landing: Path, log: Log, part: str, rows: Iterable[dict[str, object]]) -> None:
    rows = list(rows)
    (landing / log).mkdir(parents=True, exist_ok=True)
    with (landing / log / f"2026-01-09.{part}.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, rows[0], lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def _write_messages(landing: Path, part: str, numbers: range) -> None:
    """Messages to one contact, a second apart, of campaigns by turns; all but each third is delivered, a minute later."""
    _write(
        landing,
        Log.SENDS,
        part,
        (
            {
                "message_id": f"m{number:06}", "campaign_id": f"c{number % CAMPAIGNS}", "contact_id": "busy",
                "mobile_number": "+18005550100", "sent_at": FIRST + timedelta(seconds=number), "segments": 1,
            }
            for number in numbers
        ),
    )  # fmt: skip
    _write(
        landing,
        Log.RECEIPTS,
        part,
        (
            {
                "message_id": f"m{number:06}", "provider": "canonical",
                "provider_status": "delivered" if number % 3 else "hard_bounce",
                "occurred_at": FIRST + timedelta(seconds=number) + MINUTE,
            }
            for number in numbers
        ),
    )  # fmt: skip


def _write_clicks(landing: Path, part: str, numbers: range) -> None:
    _write(
        landing,
        Log.CLICKS,
        part,
        (
            {
                "click_id": f"k{number:06}", "campaign_id": f"c{number % CAMPAIGNS}", "contact_id": "busy",
                "clicked_at": FIRST + timedelta(seconds=number),
            }
            for number in numbers
        ),
    )  # fmt: skip


def _write_orders(landing: Path, after: int) -> None:
    """Orders, a minute apart, the first of them an hour after so many seconds; and the contact unsubscribes."""
    ordered = FIRST + timedelta(seconds=after, hours=1)
    _write(
        landing,
        Log.ORDERS,
        "all",
        (
            {
                "order_id": f"o{number}", "contact_id": "busy", "ordered_at": ordered + number * MINUTE, "total": 10,
                "currency": "USD", "status": "placed", "updated_at": ordered,
            }
            for number in range(ORDERS)
        ),
    )  # fmt: skip
    _write(landing, Log.UNSUBSCRIBES, "all", [{"contact_id": "busy", "unsubscribed_at": ordered}])


def _load_and_build(*, full_refresh: bool = False) -> AppContext:
    warehouse = AppContext.of(load_settings())
    for log in Log:
        stages.load_changed(warehouse, log)
    stages.build_candidate(warehouse, full_refresh=full_refresh)
    return warehouse


@pytest.mark.torture
def test_many_messages_to_one_contact_and_clicks_before_one_order(tmp_path: Path) -> None:
    messages, clicks = 3_000, 300
    landing = tmp_path / "landing"
    _write_messages(landing, "all", range(messages))
    _write_clicks(landing, "all", range(clicks))
    _write_orders(landing, messages)
    with environment(environment_of(tmp_path / "data", landing, memory_limit="100MB", threads="1")):
        file = _load_and_build().paths.candidate

    messages_of_a_campaign = messages // CAMPAIGNS
    metrics = {row["campaign_id"]: row for row in mart_rows(file, "campaign_metrics")}
    assert metrics.keys() == {f"c{number}" for number in range(CAMPAIGNS)}
    assert {row["total_sent"] for row in metrics.values()} == {messages_of_a_campaign}
    assert sum(row["total_delivered"] for row in metrics.values()) == messages * 2 // 3
    assert {(row["total_clicks"], row["unique_clickers"]) for row in metrics.values()} == {(clicks // CAMPAIGNS, 1)}
    # Of each campaign a contact stands in one row, by the message that was delivered first.
    first_delivered = {
        f"c{number}": f"m{number if number % 3 else number + CAMPAIGNS:06}" for number in range(CAMPAIGNS)
    }
    statuses = mart_rows(file, "delivery_status")
    assert {row["campaign_id"]: row["message_id"] for row in statuses} == first_delivered
    assert {(row["delivery_status"], row["messages_sent"]) for row in statuses} == {
        ("delivered", messages_of_a_campaign)
    }
    # The last click decides; every other campaign assisted, once.
    last_clicks = {f"c{number % CAMPAIGNS}": f"k{number:06}" for number in range(clicks - CAMPAIGNS, clicks)}
    direct = f"c{(clicks - 1) % CAMPAIGNS}"
    assert {
        (row["order_id"], row["campaign_id"], row["click_id"], row["attribution"])
        for row in mart_rows(file, "attributed_orders")
    } == {
        (f"o{number}", campaign, click, "direct" if campaign == direct else "assisted")
        for number in range(ORDERS)
        for campaign, click in last_clicks.items()
    }
    (unsubscribe,) = mart_rows(file, "attributed_unsubscribes")
    assert unsubscribe["message_id"] == f"m{messages - 1:06}"
    # Two thirds of the messages are delivered in between: no run of bounces.
    assert mart_rows(file, "suppressed_numbers") == []


@pytest.mark.torture
def test_large_shapes_loaded_in_two_halves_agree_with_the_oracle(tmp_path: Path) -> None:
    messages, clicks = 40_000, 10_000
    landing = tmp_path / "landing"
    for part, half in (("late", 1), ("early", 0)):
        _write_messages(landing, part, range(half * messages // 2, (half + 1) * messages // 2))
        _write_clicks(landing, part, range(half * clicks // 2, (half + 1) * clicks // 2))
        if part == "late":
            _write_orders(landing, messages)
        with environment(environment_of(tmp_path / "data", landing, memory_limit="100MB")):
            warehouse = _load_and_build()
    brought_up_to_date = all_marts(warehouse.paths.candidate)
    with environment(environment_of(tmp_path / "data", landing, memory_limit="100MB")):
        rebuilt = all_marts(_load_and_build(full_refresh=True).paths.candidate)
    expected = compute(read_landing(landing).rows, OracleSettings(), load_vocabulary())
    for actual in (brought_up_to_date, rebuilt):
        for mart, rows in expected.items():
            assert differences(rows, actual[mart]) == [], mart
