"""What is explained is what is published: the evidence in the lake, worked out anew, comes to the marts, row for row."""

import shutil
from pathlib import Path

import duckdb
import pytest

from models.enums import Log
from orchestration import stages
from orchestration.cli.output import explanations
from tests.running import RefreshedWarehouse, sendmart
from warehouse.explain import MAX_ROWS, Basis, Explainer, Explanation, Listing, UnknownId, attach_published
from warehouse.explain.id_build import IdBuild

ATTRIBUTED = (
    "order_id, campaign_id, attribution, contact_id, ordered_at, clicked_at, click_id, revenue, currency, total,"
    " refunded_amount"
)
METRICS = (
    "campaign_id, last_sent_at, campaign_name, click_to_delivered_rate, conversion_rate, direct_orders, assisted_orders,"
    " last_modified_by, revenue, assisted_revenue, total_segments, total_clicks, total_delivered, total_sent, campaign_type,"
    " unique_clickers, unsubscribes"
)
OVERVIEW = "campaign_id, unique_sends, unique_deliveries, pending, soft_bounces, hard_bounces, deleted"
RECEIPT = "campaign_id, contact_id, message_id, mobile_number, delivery_status, status_at, provider, provider_status, error_code"
SKIPPED = "message_id, campaign_id, contact_id, mobile_number, skip_reason"


@pytest.fixture
def evidence(refreshed_wide: RefreshedWarehouse):
    warehouse = refreshed_wide.warehouse
    with duckdb.connect() as connection:
        attach_published(connection, warehouse.paths)
        yield Evidence(connection, warehouse.settings, warehouse.paths)


def differences(evidence: Evidence, derived: str, published: str) -> tuple[int, list[tuple]]:
    """The number of rows published, and the rows that are on one side only."""
    (count,) = evidence.run(f"select count(*) from ({published})").fetchone()
    either = f"(({derived}) except all ({published})) union all (({published}) except all ({derived}))"
    return count, evidence.run(either).fetchall()


def test_the_evidence_of_all_messages_and_orders_comes_to_the_marts(evidence: Evidence) -> None:
    evidence.messages("select distinct message_id from lake_sends")
    of_message = f"select {RECEIPT} from messages semi join published.marts.delivery_status using (message_id)"
    count, found = differences(evidence, of_message, f"select {RECEIPT} from published.marts.delivery_status")
    assert (count > 200, found) == (True, [])
    skipped = f"select {SKIPPED} from messages where not is_sent"
    count, found = differences(evidence, skipped, f"select {SKIPPED} from published.marts.skip_reasons")
    assert (count > 100, found) == (True, [])
    evidence.orders("select distinct order_id from lake_orders")
    credited = f"select {ATTRIBUTED} from credited"
    count, found = differences(evidence, credited, f"select {ATTRIBUTED} from published.marts.attributed_orders")
    assert (count > 100, found) == (True, [])
    unconverted = "select order_id from orders where revenue is null"
    count, found = differences(evidence, unconverted, "select order_id from published.marts.unconverted_orders")
    assert (count > 10, found) == (True, [])
    evidence.unsubscribes("select distinct contact_id from lake_unsubscribes")
    columns = "contact_id, unsubscribed_at, source, campaign_id, message_id, sent_at"
    derived = f"select {columns} from unsubscribes"
    count, found = differences(evidence, derived, f"select {columns} from published.marts.attributed_unsubscribes")
    assert (count > 100, found) == (True, [])


def test_the_evidence_of_all_campaigns_comes_to_the_marts(evidence: Evidence) -> None:
    evidence.campaigns("select distinct campaign_id from lake_sends")
    for columns, mart in ((METRICS, "campaign_metrics"), (OVERVIEW, "campaign_overview")):
        derived, published = f"select {columns} from campaigns", f"select {columns} from published.marts.{mart}"
        count, found = differences(evidence, derived, published)
        assert (count > 200, found) == (True, []), mart


def explainer(warehouse: stages.AppContext, connection: duckdb.DuckDBPyConnection) -> Explainer:
    return Explainer(warehouse.settings, warehouse.paths, warehouse.ledger, connection)


def test_one_thing_at_a_time_is_explained_as_it_was_published(refreshed_wide: RefreshedWarehouse) -> None:
    with duckdb.connect() as connection:
        explain = explainer(refreshed_wide.warehouse, connection)
        assert explain.basis.is_current
        asked = {
            "message": "select message_id from published.marts.delivery_status",
            "order": "select distinct order_id from published.marts.attributed_orders",
            "campaign": "select campaign_id from published.marts.campaign_metrics",
        }
        for kind, query in asked.items():
            keys = [
                key
                for (key,) in connection.execute(f"from ({query}) as asked(key) order by hash(key) limit 4").fetchall()
            ]
            for key in keys:
                told = explain.explain(kind, key)
                assert told.disagreements == {}, (kind, key)
                assert len(told.conclusion.keys() & told.published.keys()) >= 3, (kind, key)
                assert all(len(listing.rows) <= MAX_ROWS for listing in told.listings)
        (contact,) = connection.execute(
            "select contact_id from published.marts.delivery_status group by all order by count(*) desc limit 1"
        ).fetchone()
        told = explain.explain("contact", contact)
        (sent,) = connection.execute(
            "select sum(messages_sent) from published.marts.delivery_status where contact_id = ?", [contact]
        ).fetchone()
        assert told.conclusion["messages_sent"] == sent
        numbers = [row[told.listings[0].columns.index("mobile_number")] for row in told.listings[0].rows]
        assert numbers and all("\u2026" in number and len(number) <= 6 for number in numbers)


def test_the_rule_that_decided_between_rows_is_named(refreshed_wide: RefreshedWarehouse) -> None:
    """Of two rows, the rule named is the first in which they differ."""
    with duckdb.connect() as connection:
        explain = explainer(refreshed_wide.warehouse, connection)
        twice = (
            "select {0} from lake_{1} group by {0}"
            " having count(*) = 2 and count(distinct {2}) = 2 and count(distinct {3}) = 1 order by 1 limit 1"
        )
        for kind, key, log, differs, same, words in (
            ("order", "order_id", "orders", "updated_at", "1", "the latest updated_at"),
            ("message", "message_id", "sends", "sent_at", "skip_reason is null", "the earliest sent_at"),
            ("message", "message_id", "sends", "skip_reason is null", "1", "a sent row before a skipped one"),
            ("campaign", "campaign_id", "campaigns", "modified_at", "1", "the latest modified_at"),
        ):
            found = connection.execute(twice.format(key, log, differs, same)).fetchone()
            assert found, (kind, differs)
            assert any(words in rule for rule in explain.explain(kind, found[0]).rules), (kind, words)


def test_a_lake_that_has_moved_on_is_told_and_what_was_published_otherwise_is_shown(
    refreshed_small: RefreshedWarehouse, tmp_path, capsys
) -> None:
    old = refreshed_small.warehouse
    shutil.copytree(old.paths.data, tmp_path / "data", ignore=shutil.ignore_patterns("dagster", "dbt", "exports"))
    settings = old.settings.model_copy(update={"data": tmp_path / "data", "landing": tmp_path / "landing"})
    warehouse = stages.AppContext.of(settings)
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
        told = explainer(warehouse, connection).explain("message", message)
    assert not told.basis.is_current
    assert told.disagreements["delivery_status"] == ("delivered", "pending")
    explanations.explanation(told)
    shown = capsys.readouterr().out
    assert "have changed since build" in shown
    assert "PUBLISHED OTHERWISE delivery_status: pending, now delivered" in shown


def test_what_comes_from_logs_is_shown_as_text_and_numbers_are_masked() -> None:
    assert explanations.cell("\x1b[31mred\n[bold]+447700900123") == "\\x1b[31mred\\n[bold]+44\u202623"


def test_where_a_row_came_in_is_never_cut_and_its_numbers_are_masked(capsys: pytest.CaptureFixture[str]) -> None:
    path = f"2026-01-05/{'part-' * 20}+447700900123.csv, row 7"
    listing = Listing("Rows", ("came_in",), ((path,),), 1)
    explanations.explanation(Explanation("message", "m", Basis(None, None, False, None), listings=[listing]))
    shown = "".join(line.strip("│ ") for line in capsys.readouterr().out.splitlines())
    assert path.replace("+447700900123", "+44…23") in shown


def test_numbers_that_were_published_masked_are_told_to_be_suppressed_all_the_same(
    refreshed_wide: RefreshedWarehouse, tmp_path: Path
) -> None:
    told = {}
    shutil.copytree(refreshed_wide.warehouse.settings.data, tmp_path / "data")
    for mask_phone_numbers in (False, True):
        changed = {"data": tmp_path / "data", "mask_phone_numbers": mask_phone_numbers}
        warehouse = stages.AppContext.of(refreshed_wide.warehouse.settings.model_copy(update=changed))
        if mask_phone_numbers:
            stages.publish_candidate(warehouse, warehouse.ledger.candidate())
        with duckdb.connect() as connection:
            explain = explainer(warehouse, connection)
            (contact,) = connection.execute("select min(contact_id) from published.marts.suppressed_numbers").fetchone()
            explanation = explain.explain("contact", contact)
        told[mask_phone_numbers] = [
            one for one in explanation.listings if one.title.startswith("Numbers of the contact")
        ]
    assert told[False] == told[True]
    assert told[True][0].rows[0][0].startswith("+")


def test_an_unknown_id_is_said_to_be_unknown_and_looked_for_in_quarantine(refreshed_wide: RefreshedWarehouse) -> None:
    with duckdb.connect() as connection:
        explain = explainer(refreshed_wide.warehouse, connection)
        for kind in ("message", "order", "campaign", "contact"):
            with pytest.raises(UnknownId, match="is in the lake; logs are loaded until 2026"):
                explain.explain(kind, "' or true --")
        with pytest.raises(UnknownId, match="rows in quarantine mention it, the first in"):
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
        (asked,) = connection.execute(f"select min({key}) from published.marts.{mart}").fetchone()
    run = sendmart(refreshed_small.environment, "explain", kind, "--", asked)
    assert (run.returncode, run.stderr) == (0, "")
    build_id = refreshed_small.warehouse.ledger.last_publication()[0]
    assert f"Of the published build {build_id}" in run.stdout
    assert ".csv" in run.stdout or ".jsonl" in run.stdout or ".parquet" in run.stdout
    if kind == "order":
        unknown = sendmart(refreshed_small.environment, "explain", kind, "no such id")
        assert (unknown.returncode, "No order 'no such id' is in the lake" in unknown.stderr) == (1, True)
