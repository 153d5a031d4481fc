"""`sendmart explain`: the models on the rows of an id give the published figures, and the rules named are those that applied."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from models.enums import Log
from orchestration import stages
from orchestration.cli.output import explanations
from orchestration.stages.build import is_built
from tests.running import RefreshedWarehouse, refreshed_folder, sendmart
from warehouse.config import DataPaths
from warehouse.explain.explainer import Explainer, attach_published
from warehouse.explain.explanation import MAX_ROWS, Basis, Explanation, Listing, UnknownId
from warehouse.explain.id_build import IdBuild
from warehouse.transform.compiled_sql import full_build_sql

ATTRIBUTED = (
    "order_id, campaign_id, attribution, contact_id, ordered_at, clicked_at, click_id, revenue, currency, total,"
    " refunded_amount"
)
RECEIPT = "campaign_id, contact_id, message_id, mobile_number, delivery_status, status_at, provider, provider_status, error_code"
SKIPPED = "message_id, campaign_id, contact_id, mobile_number, skip_reason"


@pytest.fixture
def connection():
    with duckdb.connect() as connection:
        yield connection


@pytest.fixture
def id_build(refreshed_wide: RefreshedWarehouse, connection: duckdb.DuckDBPyConnection) -> IdBuild:
    warehouse = refreshed_wide.warehouse
    attach_published(connection, warehouse.paths)
    return IdBuild(connection, warehouse.settings, warehouse.paths)


def differences(connection: duckdb.DuckDBPyConnection, computed: str, published: str) -> tuple[int, list[tuple]]:
    """The number of published rows, and the rows that only one of two queries gives."""
    (count,) = connection.execute(f"select count(*) from ({published})").fetchone()
    either = f"(({computed}) except all ({published})) union all (({published}) except all ({computed}))"
    return count, connection.execute(either).fetchall()


def test_builds_of_all_ids_equal_the_published_marts(id_build: IdBuild, connection: duckdb.DuckDBPyConnection) -> None:
    id_build.build("message", "select distinct message_id from lake_sends")
    deciding = f"select {RECEIPT} from messages semi join published.marts.delivery_status using (message_id)"
    count, rows = differences(connection, deciding, f"select {RECEIPT} from published.marts.delivery_status")
    assert (count > 200, rows) == (True, [])
    skipped = f"select {SKIPPED} from messages where not is_sent"
    count, rows = differences(connection, skipped, f"select {SKIPPED} from published.marts.skip_reasons")
    assert (count > 100, rows) == (True, [])
    id_build.build("order", "select distinct order_id from lake_orders")
    credited = f"select {ATTRIBUTED} from credited_clicks"
    count, rows = differences(connection, credited, f"select {ATTRIBUTED} from published.marts.attributed_orders")
    assert (count > 100, rows) == (True, [])
    unconverted = "select order_id from orders where revenue is null"
    count, rows = differences(connection, unconverted, "select order_id from published.marts.unconverted_orders")
    assert (count > 10, rows) == (True, [])
    id_build.build("contact", "select distinct contact_id from lake_unsubscribes")
    columns = "contact_id, unsubscribed_at, source, campaign_id, message_id, sent_at"
    unsubscribes, published = (
        f"select {columns} from {of}" for of in ("unsubscribes", "published.marts.attributed_unsubscribes")
    )
    count, rows = differences(connection, unsubscribes, published)
    assert (count > 100, rows) == (True, [])
    id_build.build("campaign", "select distinct campaign_id from lake_sends")
    for mart in ("campaign_metrics", "campaign_overview"):
        computed, published = f"from candidate.marts.{mart}", f"from published.marts.{mart}"
        count, rows = differences(connection, computed, published)
        assert (count > 200, rows) == (True, []), mart


@pytest.mark.parametrize("case", ["wide", "insights"])
def test_a_full_build_records_the_sql_that_dbt_compiles(
    case: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    warehouse = request.getfixturevalue(f"refreshed_{case}").warehouse
    # In a copy with a lake of its own, the first command that needs the SQL compiles it again.
    refreshed = DataPaths(refreshed_folder(warehouse.paths.data, case))
    recorded = json.loads(refreshed.compiled_sql.read_bytes())
    assert len(recorded["models"]) > 30
    elsewhere = DataPaths(tmp_path, lake_override=refreshed.lake)
    elsewhere.dbt_target.mkdir(parents=True)
    elsewhere.compiled_sql.write_bytes(b"[" * 200_000)  # damaged: as if there were none
    full_build_sql(warehouse.settings, elsewhere)
    compiled = json.loads(elsewhere.compiled_sql.read_bytes())
    assert compiled["inputs_digest"] == recorded["inputs_digest"]
    by_name = [{model["name"]: model for model in sql["models"]} for sql in (recorded, compiled)]
    assert by_name[0] == by_name[1]


def test_sql_is_compiled_again_for_other_settings(refreshed_wide: RefreshedWarehouse, tmp_path: Path) -> None:
    warehouse = refreshed_wide.warehouse
    paths = DataPaths(tmp_path, lake_override=warehouse.paths.lake)
    paths.dbt_target.mkdir(parents=True)
    shutil.copy(warehouse.paths.compiled_sql, paths.compiled_sql)
    attributed = "int_orders_attributed"
    assert "interval 120 hours" in full_build_sql(warehouse.settings, paths)[attributed].sql
    settings = warehouse.settings.model_copy(update={"conversion_window_hours": 24})
    assert "interval 24 hours" in full_build_sql(settings, paths)[attributed].sql


def explainer(warehouse: stages.AppContext, connection: duckdb.DuckDBPyConnection) -> Explainer:
    return Explainer(warehouse.settings, warehouse.paths, warehouse.ledger, connection, lambda: is_built(warehouse))


PUBLISHED_IDS = {
    "message": "select message_id from published.marts.delivery_status",
    "order": "select distinct order_id from published.marts.attributed_orders",
    "campaign": "select campaign_id from published.marts.campaign_metrics",
}


def test_each_explanation_agrees_with_the_published_figures(
    refreshed_wide: RefreshedWarehouse, connection: duckdb.DuckDBPyConnection
) -> None:
    explain = explainer(refreshed_wide.warehouse, connection)
    assert explain.basis.is_current
    for kind, ids in PUBLISHED_IDS.items():
        for (key,) in connection.execute(f"from ({ids}) as ids(id) order by hash(id) limit 12").fetchall():
            explanation = explain.explain(kind, key)
            assert explanation.disagreements == {}, (kind, key)
            assert len(explanation.conclusion.keys() & explanation.published.keys()) >= 3, (kind, key)
            assert all(len(listing.rows) <= MAX_ROWS for listing in explanation.listings)
    (contact,) = connection.execute(
        "select contact_id from published.marts.delivery_status group by all order by count(*) desc limit 1"
    ).fetchone()
    explanation = explain.explain("contact", contact)
    (sent,) = connection.execute(
        "select sum(messages_sent) from published.marts.delivery_status where contact_id = ?", [contact]
    ).fetchone()
    assert explanation.conclusion["messages_sent"] == sent
    messages = explanation.listings[0]
    numbers = [row[messages.columns.index("mobile_number")] for row in messages.rows]
    assert numbers and all("\u2026" in number and len(number) <= 6 for number in numbers)


def test_the_deciding_receipt_comes_first_and_its_rule_is_named(
    refreshed_wide: RefreshedWarehouse, connection: duckdb.DuckDBPyConnection
) -> None:
    explain = explainer(refreshed_wide.warehouse, connection)
    for status, rule in (
        ("delivered", "the earliest delivered receipt decides"),
        ("hard_bounce", "the latest final receipt decides"),
    ):
        ids = connection.execute(
            "select message_id from published.marts.delivery_status semi join"
            " (select message_id from lake_receipts group by all having count(distinct occurred_at) > 1) using (message_id)"
            " where delivery_status = ? order by hash(message_id) limit 5",
            [status],
        ).fetchall()
        assert len(ids) == 5
        for (message,) in ids:
            explanation = explain.explain("message", message)
            (receipts,) = (listing for listing in explanation.listings if listing.title.startswith("Receipts"))
            columns = [receipts.columns.index(name) for name in ("provider_status", "occurred_at", "delivery_status")]
            figures = [explanation.conclusion[name] for name in ("provider_status", "status_at", "delivery_status")]
            assert [receipts.rows[0][column] for column in columns] == figures
            assert any(rule in text for text in explanation.rules)


def test_the_rule_that_decided_between_two_rows_is_the_first_in_which_they_differ(
    refreshed_wide: RefreshedWarehouse, connection: duckdb.DuckDBPyConnection
) -> None:
    explain = explainer(refreshed_wide.warehouse, connection)
    ids_with_two_rows = (
        "select {0} from lake_{1} group by {0}"
        " having count(*) = 2 and count(distinct {2}) = 2 and count(distinct {3}) = 1 order by 1 limit 1"
    )
    for kind, key, log, differs, same, rule in (
        ("order", "order_id", "orders", "updated_at", "1", "the latest updated_at"),
        ("message", "message_id", "sends", "sent_at", "skip_reason is null", "the earliest sent_at"),
        ("message", "message_id", "sends", "skip_reason is null", "1", "a sent row before a skipped one"),
        ("campaign", "campaign_id", "campaigns", "modified_at", "1", "the latest modified_at"),
    ):
        row = connection.execute(ids_with_two_rows.format(key, log, differs, same)).fetchone()
        assert row, (kind, differs)
        assert any(rule in text for text in explain.explain(kind, row[0]).rules), (kind, rule)


def test_an_explanation_needs_no_file_of_the_candidate_that_a_refresh_has_locked(
    refreshed_small: RefreshedWarehouse, tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    warehouse = copied(refreshed_small, tmp_path)
    hold = (
        "import sys, duckdb; connections = [duckdb.connect(file) for file in sys.argv[1:]];"
        " print('locked', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", hold, str(warehouse.paths.build), str(warehouse.paths.candidate)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == "locked\n"
        explain = explainer(warehouse, connection)
        (campaign,) = connection.execute("select min(campaign_id) from published.marts.campaign_metrics").fetchone()
        explanation = explain.explain("campaign", campaign)
        writer.stdin.close()
    assert explanation.published["total_sent"] == explanation.conclusion["total_sent"] > 0
    assert explanation.disagreements == {}


def copied(refreshed: RefreshedWarehouse, folder: Path, **changed: Any) -> stages.AppContext:
    """A copy of a data folder, with a landing zone of its own and changed settings."""
    settings = refreshed.warehouse.settings
    shutil.copytree(settings.data, folder / "data", ignore=shutil.ignore_patterns("dagster", "exports"))
    changed |= {"data": folder / "data", "landing": folder / "landing"}
    return stages.AppContext.of(settings.model_copy(update=changed))


def test_after_a_load_the_explanation_shows_which_published_figures_differ(
    refreshed_small: RefreshedWarehouse, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    warehouse = copied(refreshed_small, tmp_path)
    with duckdb.connect() as connection:
        attach_published(connection, warehouse.paths)
        (message,) = connection.execute(
            "select min(message_id) from published.marts.delivery_status where delivery_status = 'pending'"
        ).fetchone()
    receipts = tmp_path / "landing" / "receipts"
    receipts.mkdir(parents=True)
    (receipts / "2026-02-01.csv").write_text(
        f"message_id,provider,provider_status,occurred_at\n{message},canonical,delivered,2026-01-31T10:00:00Z\n"
    )
    stages.load_changed(warehouse, Log.RECEIPTS)
    with duckdb.connect() as connection:
        explanation = explainer(warehouse, connection).explain("message", message)
    assert not explanation.basis.is_current
    assert explanation.disagreements["delivery_status"] == ("delivered", "pending")
    explanations.print_explanation(explanation)
    output = capsys.readouterr().out
    assert "have changed since build" in output
    assert "DIFFERS FROM THE PUBLISHED BUILD delivery_status: published pending, now delivered" in output


def test_values_from_logs_are_printed_as_text_with_masked_numbers() -> None:
    assert explanations.cell("\x1b[31mred\n[bold]+447700900123") == "\\x1b[31mred\\n[bold]+44\u202623"


def test_where_a_row_came_in_is_never_cut_and_its_numbers_are_masked(capsys: pytest.CaptureFixture[str]) -> None:
    path = f"2026-01-05/{'part-' * 20}+447700900123.csv, row 7"
    listing = Listing("Rows", ("came_in",), ((path,),), 1)
    explanations.print_explanation(Explanation("message", "m", Basis(None, None, False, None), listings=[listing]))
    output = "".join(line.strip("│ ") for line in capsys.readouterr().out.splitlines())
    assert path.replace("+447700900123", "+44…23") in output


def test_suppressed_numbers_are_listed_although_they_were_published_masked(
    refreshed_wide: RefreshedWarehouse, tmp_path: Path
) -> None:
    suppressed = {}
    for mask_phone_numbers in (False, True):
        warehouse = copied(refreshed_wide, tmp_path / str(mask_phone_numbers), mask_phone_numbers=mask_phone_numbers)
        if mask_phone_numbers:
            stages.publish_candidate(warehouse, warehouse.ledger.candidate())
        with duckdb.connect() as connection:
            explain = explainer(warehouse, connection)
            (contact,) = connection.execute("select min(contact_id) from published.marts.suppressed_numbers").fetchone()
            listings = explain.explain("contact", contact).listings
        suppressed[mask_phone_numbers] = [
            listing for listing in listings if listing.title.startswith("Numbers of the contact")
        ]
    assert suppressed[False] == suppressed[True]
    assert suppressed[True][0].rows[0][0].startswith("+")


def test_an_unknown_id_is_refused_with_the_quarantined_rows_that_contain_it(refreshed_wide: RefreshedWarehouse) -> None:
    with duckdb.connect() as connection:
        explain = explainer(refreshed_wide.warehouse, connection)
        for kind in ("message", "order", "campaign", "contact"):
            with pytest.raises(UnknownId, match="is in the lake; logs are loaded until 2026"):
                explain.explain(kind, "' or true --")
        with pytest.raises(UnknownId, match="rows in quarantine contain it, the first in"):
            explain.explain("order", "20")


@pytest.mark.parametrize(
    ("kind", "mart", "key"),
    [
        ("campaign", "campaign_metrics", "campaign_id"),
        ("message", "delivery_status", "message_id"),
        ("order", "attributed_orders", "order_id"),
        ("contact", "delivery_status", "contact_id"),
    ],
)
def test_the_command_line_explains(refreshed_small: RefreshedWarehouse, kind: str, mart: str, key: str) -> None:
    with duckdb.connect() as connection:
        attach_published(connection, refreshed_small.warehouse.paths)
        (id_,) = connection.execute(f"select min({key}) from published.marts.{mart}").fetchone()
    run = sendmart(refreshed_small.environment, "explain", kind, "--", id_)
    assert (run.returncode, run.stderr) == (0, "")
    build_id = refreshed_small.warehouse.ledger.last_publication()[0]
    assert f"Published build {build_id}" in run.stdout
    assert ".csv" in run.stdout or ".jsonl" in run.stdout or ".parquet" in run.stdout
    if kind == "order":
        unknown = sendmart(refreshed_small.environment, "explain", kind, "no such id")
        assert (unknown.returncode, "No order 'no such id' is in the lake" in unknown.stderr) == (1, True)
