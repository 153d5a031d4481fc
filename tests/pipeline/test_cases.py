"""The cases: small landing zones with the marts that they must give, every value, through the real job."""

import pytest

from models.insights import INSIGHTS
from models.marts import BASE_MARTS
from tests.oracle.compare import QUARANTINE_TABLES, differences, read_mart, rejected_differences
from tests.running import CASES, RefreshedWarehouse, mart_rows, quarantine_rows, refresh_in_process, rejected_rows


def test_every_mart_equals_the_expected_rows(refreshed_case: RefreshedWarehouse) -> None:
    assert refreshed_case.outcome == "published", refreshed_case.message
    published = refreshed_case.warehouse.paths.published_marts
    expected = {
        file.stem: read_mart(file)
        for file in (refreshed_case.landing.parent / "marts").glob("*.csv")
        if file.stem not in QUARANTINE_TABLES
    }
    younger_than_a_case = {"campaign_clicks_hourly", "campaign_clicks_by_minute"}
    assert BASE_MARTS.keys() - expected.keys() <= younger_than_a_case
    messages_by_mart = {mart: differences(rows, mart_rows(published, mart)) for mart, rows in expected.items()}
    assert {mart: messages for mart, messages in messages_by_mart.items() if messages} == {}


@pytest.mark.parametrize("mart", INSIGHTS)
def test_every_insight_equals_the_expected_rows(mart: str, refreshed_insights: RefreshedWarehouse) -> None:
    assert refreshed_insights.outcome == "published", refreshed_insights.message
    expected = read_mart(refreshed_insights.landing.parent / "insights" / f"{mart}.csv")
    assert differences(expected, mart_rows(refreshed_insights.warehouse.paths.published_marts, mart)) == []


def test_quarantine_holds_exactly_the_bad_rows(refreshed_case: RefreshedWarehouse) -> None:
    expected = read_mart(refreshed_case.landing.parent / "marts" / "rejected_rows.csv")
    actual = [
        {**row, "reason_columns": " ".join(reason.partition(":")[0] for reason in row["reasons"])}
        for row in rejected_rows(refreshed_case.warehouse.paths.published_quarantine)
    ]
    assert rejected_differences(expected, actual) == []


def test_key_conflicts_are_listed_and_counted_by_file(refreshed_case: RefreshedWarehouse) -> None:
    expected = read_mart(refreshed_case.landing.parent / "marts" / "key_conflicts.csv")
    warehouse = refreshed_case.warehouse
    assert differences(expected, quarantine_rows(warehouse.paths.published_quarantine, "key_conflicts")) == []
    assert sum(file.conflicting for file in warehouse.ledger.files()) == sum(int(row["rows"]) for row in expected)


def test_a_second_refresh_finds_nothing_to_do(refreshed_case: RefreshedWarehouse) -> None:
    published = refreshed_case.warehouse.paths.published_marts
    before = published.stat()
    settings = {"max_rejected_share": "1", "insights": str(refreshed_case.warehouse.settings.insights).lower()}
    left_by_a_killed_replay = refreshed_case.warehouse.settings.scratch / "snapshots" / "left"
    left_by_a_killed_replay.mkdir(parents=True)
    again = refresh_in_process(refreshed_case.warehouse.paths.data, refreshed_case.landing, **settings)
    assert again.outcome == "nothing new"
    assert not left_by_a_killed_replay.exists()
    assert (published.stat().st_ino, published.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_there_are_three_cases() -> None:
    assert sorted(case.name for case in CASES.iterdir() if case.is_dir()) == ["insights", "small", "wide"]
