"""What changed between two builds: every kind of change is counted once, and large changes of settled campaigns warn."""

import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from models.marts import BASE_MARTS, SCHEMA, columns
from orchestration.cli.output.builds import print_diff
from tests.running import write_row_digests
from warehouse.config.settings import load_settings
from warehouse.duckdb_tools import attached
from warehouse.publish import build_diff
from warehouse.publish.build_diff import (
    BuildDiff,
    DiffSummary,
    MartChange,
    MetricChange,
    compare,
    open_builds,
    summarize,
)

LONG_AGO, LATELY, DATA_UNTIL = datetime(2026, 1, 2, 12), datetime(2026, 1, 14, 12), date(2026, 1, 15)
NUMBER = "+447700900123"
Rows = dict[str, list[dict]]


def marts_file(path: Path, rows: Rows, *changes: str, release: str = "0.3") -> Path:
    """A file of marts; of a row what is not given is 0, or the text x."""
    path.unlink(missing_ok=True)
    with attached(read_only=False, f=path) as connection:
        connection.execute(f"create schema f.{SCHEMA}")
        for mart in BASE_MARTS:
            types = {column.name: column.sql_type for column in columns(mart)}
            connection.execute(
                f"create table f.{SCHEMA}.{mart} ({', '.join(f'{name} {kind}' for name, kind in types.items())})"
            )
            blank = {
                name: "x" if kind == "varchar" else LONG_AGO if kind == "timestamp" else 0
                for name, kind in types.items()
            }
            for row in rows.get(mart, []):
                assert row.keys() <= types.keys()
                connection.execute(
                    f"insert into f.{SCHEMA}.{mart} values ({', '.join('?' * len(types))})",
                    list((blank | row).values()),
                )
        if release != "0.1":
            headers = {mart: [column.name for column in columns(mart)] for mart in BASE_MARTS}
            write_row_digests(connection, "f", release, headers)
        connection.execute(f"use f.{SCHEMA}")
        for change in changes:
            connection.execute(change)
    return path


def campaign(campaign_id: str, at: datetime | None = LONG_AGO, **figures) -> dict:
    return {"campaign_id": campaign_id, "campaign_name": f"Name {campaign_id}", "last_sent_at": at, **figures}


def contact(campaign_id: str | None, contact_id: str, **values) -> dict:
    return {"campaign_id": campaign_id, "contact_id": contact_id, "mobile_number": NUMBER, **values}


@pytest.fixture
def compared(tmp_path: Path, bare_environment, monkeypatch):
    monkeypatch.setenv("SENDMART_DATA", str(tmp_path / "data"))

    def compared(before: Path | Rows, after: Path | Rows, **options) -> BuildDiff:
        files = [
            version if isinstance(version, Path) else marts_file(tmp_path / f"{name}.duckdb", version)
            for name, version in (("before", before), ("after", after))
        ]
        return compare(load_settings(), *files, **({"candidate_settings": {}} | options))

    return compared


@pytest.fixture
def summary_of(tmp_path: Path, bare_environment, monkeypatch):
    monkeypatch.setenv("SENDMART_DATA", str(tmp_path / "data"))

    def summary_of(before: list[dict], after: list[dict], data_until: date | None = DATA_UNTIL) -> DiffSummary:
        files = [
            marts_file(tmp_path / f"{name}.duckdb", {"campaign_metrics": rows})
            for name, rows in (("before", before), ("after", after))
        ]
        with open_builds(load_settings(), *files) as connection:
            return summarize(connection, "b1", data_until, {})

    return summary_of


def mart_change(diff: BuildDiff, mart: str) -> MartChange:
    return next(change for change in diff.marts if change.mart == mart)


# Marts


def test_builds_with_the_same_rows_have_no_changes(compared) -> None:
    rows = {
        "campaign_metrics": [campaign("c1", revenue=5)],
        "delivery_status": [contact("c1", "k1")],
        "unmapped_receipts": [{"provider": "p", "error_code": None}],
    }
    diff = compared(rows, rows)
    counts = {mart: len(rows.get(mart, [])) for mart in BASE_MARTS}
    assert diff.marts == tuple(MartChange(mart, count, count, 0, 0, 0, (), (), ()) for mart, count in counts.items())
    assert (diff.changed_campaigns, diff.metric_changes, diff.new_campaigns, diff.removed_campaigns) == (0, (), (), ())


@pytest.mark.parametrize("release", ["0.3", "0.2", "0.1"])
def test_added_removed_and_changed_rows_are_matched_by_key(compared, tmp_path: Path, release: str) -> None:
    before = [contact("c1", "stays"), contact("c1", "goes"), contact("c1", "turns", delivery_status="pending")]
    after = [contact("c1", "stays"), contact("c1", "comes"), contact("c1", "turns", delivery_status="delivered")]
    after.append(contact("c2", "comes"))
    nobody = {"contact_id": "k", "unsubscribed_at": LONG_AGO, "campaign_id": None}
    orders = [{"order_id": "o1", "campaign_id": "c1"}, {"order_id": "o1", "campaign_id": "c2"}]
    diff = compared(
        marts_file(
            tmp_path / "1.duckdb",
            {"delivery_status": before, "attributed_unsubscribes": [nobody], "attributed_orders": orders},
            release=release,
        ),
        marts_file(
            tmp_path / "2.duckdb",
            {
                "delivery_status": after,
                "attributed_unsubscribes": [nobody | {"source": "y"}],
                "attributed_orders": orders[1:],
            },
        ),
    )
    assert mart_change(diff, "delivery_status") == MartChange("delivery_status", 3, 4, 2, 1, 1, (), (), ())
    assert mart_change(diff, "attributed_unsubscribes") == MartChange(
        "attributed_unsubscribes", 1, 1, 0, 0, 1, (), (), ()
    )
    assert mart_change(diff, "attributed_orders") == MartChange("attributed_orders", 2, 1, 0, 1, 0, (), (), ())


def test_added_removed_and_retyped_columns_are_listed_and_rows_compared_by_the_others(compared, tmp_path: Path) -> None:
    rows = {"campaign_overview": [{"campaign_id": "c1"}], "suppressed_numbers": [{"mobile_number": NUMBER}]}
    diff = compared(
        marts_file(tmp_path / "1.duckdb", rows),
        marts_file(
            tmp_path / "2.duckdb",
            rows,
            "alter table campaign_overview drop column pending",
            "alter table campaign_overview add column tile bigint",
            "alter table campaign_overview alter deleted type varchar",
            "alter table suppressed_numbers rename mobile_number to number_key",
        ),
    )
    assert mart_change(diff, "campaign_overview") == MartChange(
        "campaign_overview", 1, 1, 0, 0, 0, ("tile",), ("pending",), ("deleted",)
    )
    suppressed = mart_change(diff, "suppressed_numbers")
    assert (suppressed.added, suppressed.columns_added, suppressed.columns_removed) == (
        *(None, ("number_key",), ("mobile_number",)),
    )


def test_all_columns_of_a_new_mart_are_added(compared, tmp_path: Path) -> None:
    diff = compared(
        marts_file(tmp_path / "1.duckdb", {}, "drop table unmatched_events"),
        marts_file(tmp_path / "2.duckdb", {"unmatched_events": [{"log": "clicks"}]}),
    )
    assert (mart_change(diff, "unmatched_events").rows_before, mart_change(diff, "unmatched_events").rows_after) == (
        0,
        1,
    )
    assert "events" in mart_change(diff, "unmatched_events").columns_added


def test_insights_are_compared_where_a_build_has_them(
    compared, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def with_weight(name: str, weight: float) -> Path:
        return marts_file(
            tmp_path / name,
            {},
            "create schema f.insights",
            "create table f.insights.attribution_models as select 'o' || range as order_id, 'c1' as campaign_id,"
            f" 'last' as model, 1::bigint as touches, if(range = 1, {weight}, 1)::double as weight, null as revenue"
            " from range(3)",
        )

    without, before, after = marts_file(tmp_path / "0", {}), with_weight("1", 1), with_weight("2", 0.5)
    assert "attribution_models" not in {mart.mart for mart in compared(without, without).marts}
    change = mart_change(compared(before, after), "attribution_models")
    assert (change.rows_before, change.rows_after, change.added, change.removed, change.changed) == (3, 3, 0, 0, 1)
    for earlier, later, expected in ((without, after, "a new mart"), (before, without, "the mart is gone")):
        print_diff(compared(earlier, later))
        (line,) = (line for line in capsys.readouterr().out.splitlines() if "attribution_models" in line)
        assert expected in line


# Figures by campaign


def test_changed_metrics_are_listed_by_campaign_the_largest_first(compared, tmp_path: Path) -> None:
    before = {
        "campaign_metrics": [
            campaign("small", total_sent=10),
            campaign("large", revenue=Decimal("10.50"), total_sent=3),
        ],
        "campaign_overview": [{"campaign_id": "large", "pending": 4, "revenue": 0}, {"campaign_id": "small"}],
    }
    after = {
        "campaign_metrics": [
            campaign("small", total_sent=11),
            campaign("large", revenue=Decimal("1.25"), total_sent=4),
        ],
        "campaign_overview": [{"campaign_id": "large", "pending": 2, "revenue": 9}, {"campaign_id": "small"}],
    }

    def change(campaign_id: str, metric: str, before: str, after: str) -> MetricChange:
        return MetricChange(campaign_id, f"Name {campaign_id}", LONG_AGO, metric, Decimal(before), Decimal(after))

    everything = (
        change("large", "revenue", "10.50", "1.25"),
        change("large", "pending", "4", "2"),
        change("large", "total_sent", "3", "4"),
        change("small", "total_sent", "10", "11"),
    )
    files = [marts_file(tmp_path / "1.duckdb", before), marts_file(tmp_path / "2.duckdb", after)]
    for options, changes in (
        ({}, everything),
        ({"campaigns": 1}, everything[:3]),
        ({"campaigns": None}, everything),
        ({"campaign_id": "small"}, everything[3:]),
        ({"campaign_id": "nobody"}, ()),
    ):
        diff = compared(*files, **options)
        assert (diff.changed_campaigns, diff.metric_changes) == (2, changes)


def test_new_and_removed_campaigns_are_listed_and_have_no_metric_changes(compared) -> None:
    diff = compared({"campaign_metrics": [campaign("goes", total_sent=9)]}, {"campaign_metrics": [campaign("comes")]})
    assert (diff.new_campaigns, diff.removed_campaigns, diff.metric_changes) == (("comes",), ("goes",), ())


# Settings


def in_currency(currency: str, window: int = 120) -> str:
    settings = json.dumps({"reporting_currency": currency, "conversion_window_hours": window, "engine": "duckdb"})
    return f"create table build_info as select '{settings}' as settings"


def test_changed_settings_are_named_and_amounts_of_two_currencies_are_not_compared(compared, tmp_path) -> None:
    before = {"campaign_metrics": [campaign("c1", total_sent=1, revenue=100, assisted_revenue=5)]}
    after = {"campaign_metrics": [campaign("c1", total_sent=3, revenue=87, assisted_revenue=4)]}
    files = (
        marts_file(tmp_path / "usd.duckdb", before, in_currency("USD")),
        marts_file(tmp_path / "eur.duckdb", after, in_currency("EUR", 72)),
    )
    diff = compared(*files)
    assert [str(change) for change in diff.setting_changes] == [
        "SENDMART_CONVERSION_WINDOW_HOURS 120 → 72", "SENDMART_REPORTING_CURRENCY USD → EUR",
    ]  # fmt: skip
    assert [change.metric for change in diff.metric_changes] == ["total_sent"]
    with open_builds(load_settings(), *files) as connection:
        summary = summarize(connection, "b1", DATA_UNTIL, {})
    assert "revenue" not in summary.totals
    assert summary.warnings == ()
    assert summary.describe().endswith(
        "settings changed: SENDMART_CONVERSION_WINDOW_HOURS 120 → 72, SENDMART_REPORTING_CURRENCY USD → EUR"
    )


def test_the_settings_of_a_candidate_are_those_of_the_next_publication(compared, tmp_path) -> None:
    published = marts_file(tmp_path / "published.duckdb", {}, in_currency("USD"))
    candidate = marts_file(tmp_path / "candidate.duckdb", {})
    diff = compared(
        published, candidate, candidate_settings={"reporting_currency": "USD", "conversion_window_hours": 24}
    )
    assert [str(change) for change in diff.setting_changes] == ["SENDMART_CONVERSION_WINDOW_HOURS 120 → 24"]


# The summary of a publication


def test_the_summary_counts_what_a_refresh_added(summary_of) -> None:
    before = [campaign("c1", LATELY, total_sent=1000, total_delivered=900, revenue=Decimal("100.00"))]
    after = [
        campaign("c1", LATELY, total_sent=1000, total_delivered=990, revenue=Decimal("103.20")),
        campaign("c2", LATELY, total_sent=1200, total_delivered=1000),
    ]
    diff = summary_of(before, after)
    assert diff.describe() == (
        "since build b1: +1 campaigns, +1,200 messages, +1,090 delivered, revenue +3.2%, 1 campaigns changed"
    )
    assert diff.warnings == ()
    assert "| c1 | Name c1 | total_delivered | 900.00 | 990.00 |" in diff.largest_changes


LARGE_CHANGES = [
    # More than a tenth, at least a hundred, and sent more than seven days before the end of the data: all three.
    (LONG_AGO, 1000, 1101, True),
    (LONG_AGO, 1000, 1100, False),
    (LONG_AGO, 100, 199, False),
    (LONG_AGO, 100, 200, True),
    (LONG_AGO, 0, 100, True),
    (LONG_AGO, 1000, 899, True),
    (datetime(2026, 1, 7, 23, 59), 1000, 2000, True),
    (datetime(2026, 1, 8), 1000, 2000, False),
    (None, 1000, 2000, False),
]


@pytest.mark.parametrize("figure", ["total_sent", "total_delivered", "revenue", "total_clicks"])
def test_large_changes_of_settled_campaigns_are_warnings(summary_of, monkeypatch, figure: str) -> None:
    monkeypatch.setattr(build_diff, "WARNINGS_SHOWN", 100)
    changes = {f"c{number}": change for number, change in enumerate(LARGE_CHANGES)}
    diff = summary_of(
        [campaign(name, at, **{figure: before}) for name, (at, before, _, _) in changes.items()],
        [campaign(name, at, **{figure: after}) for name, (at, _, after, _) in changes.items()],
    )
    expected = [
        f"campaign {name}, last sent {at:%Y-%m-%d}: {figure} {before:,} → {after:,} ("
        for name, (at, before, after, warns) in changes.items()
        if warns and figure != "total_clicks"
    ]
    assert sorted(warning.partition("(")[0] + "(" for warning in diff.warnings) == expected


def test_smaller_totals_and_removed_campaigns_are_warnings(summary_of) -> None:
    def warnings(revenue: str = "100.00", **figures: int) -> tuple[str, ...]:
        whole = {"total_sent": 50, "total_delivered": 40, "total_clicks": 30, "direct_orders": 20}
        before = [campaign("c1", LATELY, revenue=Decimal("100.00"), **whole)]
        return summary_of(before, [campaign("c1", LATELY, revenue=Decimal(revenue), **(whole | figures))]).warnings

    assert warnings() == warnings(direct_orders=10) == warnings(revenue="99.00") == ()
    assert warnings(revenue="98.99") == ("revenue of all campaigns shrank: 100 → 98.99 (-1.0%)",)
    assert warnings(total_sent=49) == ("total_sent of all campaigns shrank: 50 → 49 (-2.0%)",)
    assert len(warnings(total_delivered=39, total_clicks=29)) == 2
    (gone,) = summary_of([campaign(f"c{number}") for number in range(5)], [campaign("c0")]).warnings
    assert gone == "4 campaigns are gone (c1, c2, c3, …)"


def test_only_the_largest_changes_are_listed_and_the_others_counted(summary_of) -> None:
    before = [campaign(f"c{number}", total_sent=100) for number in range(8)]
    after = [campaign(f"c{number}", total_sent=300 + number) for number in range(8)]
    diff = summary_of(before, after)
    assert [warning.partition(",")[0] for warning in diff.warnings[:5]] == [
        f"campaign c{7 - rank}" for rank in range(5)
    ]
    assert diff.warnings[5].startswith("… and 3 more large changes")
    assert summary_of(before, after, data_until=None).warnings == ()


def test_a_diff_holds_no_phone_number(compared) -> None:
    rows = {"delivery_status": [contact("c1", "k1")], "suppressed_numbers": [{"mobile_number": NUMBER}]}
    assert NUMBER not in repr(compared({}, rows))
