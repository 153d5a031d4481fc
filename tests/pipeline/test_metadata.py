"""The metadata that Dagster shows of the assets: complete, numbers where Dagster plots them, and without personal data."""

import re
from collections.abc import Iterator

import dagster as dg
import pytest

from models.enums import Log
from models.logs import COLUMNS
from models.marts import BASE_MARTS, columns
from orchestration.defs.exports import GROUP_ON_REQUEST
from orchestration.metadata import COLUMN_LINEAGE, COLUMN_SCHEMA, ROW_COUNT, load_facts
from orchestration.run_refresh import dagster_home
from tests.running import RefreshedWarehouse, all_marts
from warehouse.export import REPORTS

MADE_FROM_NO_COLUMN = {
    "unmatched_events": {"log", "kind"},
    "unmapped_receipts": {"receipts"},
    "campaign_clicks_hourly": {"clicks"},
    "campaign_clicks_by_minute": {"clicks"},
}
"""Constants, and counts of rows."""


@pytest.fixture(scope="module")
def specs(definitions: dg.Definitions) -> dict[dg.AssetKey, dg.AssetSpec]:
    return {spec.key: spec for spec in definitions.resolve_all_asset_specs()}


@pytest.fixture(scope="module")
def made(refreshed_small: RefreshedWarehouse) -> dict[dg.AssetKey, dict[str, dg.MetadataValue]]:
    """The metadata of each asset from the first refresh. Other tests may have added runs."""
    with dg.DagsterInstance.from_config(str(dagster_home(refreshed_small.warehouse))) as instance:
        (refresh,) = instance.get_runs(dg.RunsFilter(job_name="refresh"), limit=1, ascending=True)
        entries = instance.all_logs(refresh.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
        events = [entry.dagster_event.step_materialization_data.materialization for entry in entries]
        return {event.asset_key: dict(event.metadata) for event in events if event.partition is None}


def _of_marts(
    made: dict[dg.AssetKey, dict[str, dg.MetadataValue]],
) -> Iterator[tuple[str, dict[str, dg.MetadataValue]]]:
    for mart in BASE_MARTS:
        yield mart, made[dg.AssetKey(["marts", mart])]


def test_every_asset_has_tags_for_layer_and_personal_data_and_a_code_version(
    specs: dict[dg.AssetKey, dg.AssetSpec], made: dict[dg.AssetKey, dict[str, dg.MetadataValue]]
) -> None:
    # The case has no files of sources.
    not_made = {key for key, spec in specs.items() if spec.group_name in (GROUP_ON_REQUEST, "sources")}
    assert made.keys() == specs.keys() - not_made
    for key, spec in specs.items():
        assert {"domain", "layer", "personal_data"} <= spec.tags.keys(), key
        assert spec.code_version, key
        assert "```" not in (spec.description or ""), f"{key}: text, not SQL"


def test_marts_that_name_contacts_or_numbers_are_marked(specs: dict[dg.AssetKey, dg.AssetSpec]) -> None:
    marked = {mart for mart in BASE_MARTS if specs[dg.AssetKey(["marts", mart])].tags["personal_data"] == "yes"}
    assert marked == {
        "attributed_orders", "attributed_unsubscribes", "delivery_status", "skip_reasons", "suppressed_numbers",
        "unconverted_orders",
    }  # fmt: skip
    assert specs[dg.AssetKey(["logs", "exchange_rates"])].tags["personal_data"] == "no"
    assert specs[dg.AssetKey(["logs", "sends"])].tags["personal_data"] == "yes"


def test_columns_of_marts_are_those_of_their_contracts(
    specs: dict[dg.AssetKey, dg.AssetSpec], made: dict[dg.AssetKey, dict[str, dg.MetadataValue]]
) -> None:
    for mart, metadata in _of_marts(made):
        contract = [(c.name, c.sql_type, c.description, c.nullable) for c in columns(mart)]
        for entry in (metadata[COLUMN_SCHEMA], specs[dg.AssetKey(["marts", mart])].metadata[COLUMN_SCHEMA]):
            schema = getattr(entry, "schema", entry)
            shown = [(c.name, c.type, c.description, c.constraints.nullable) for c in schema.columns]
            assert shown == contract, mart
    for log in Log:
        schema = specs[dg.AssetKey(["logs", log.value])].metadata[COLUMN_SCHEMA]
        assert [column.name for column in schema.columns] == [column.name for column in COLUMNS[log]]


def test_columns_of_all_models_have_the_types_of_the_build(
    made: dict[dg.AssetKey, dict[str, dg.MetadataValue]],
) -> None:
    for key, metadata in made.items():
        if key.path[0] not in ("staging", "intermediate", "this_run", "internal", "seeds"):
            continue
        assert metadata[COLUMN_SCHEMA].schema.columns, key
        assert [column.name for column in metadata[COLUMN_SCHEMA].schema.columns if column.type == "?"] == [], key
    resolved = made[dg.AssetKey(["intermediate", "int_messages_resolved"])][COLUMN_SCHEMA].schema
    assert [column.name for column in resolved.columns if column.constraints.unique] == ["message_id"]


def test_every_column_of_a_mart_has_a_lineage_that_leads_back_to_the_logs(
    made: dict[dg.AssetKey, dict[str, dg.MetadataValue]],
) -> None:
    known = {(dg.AssetKey(["logs", log.value]), column.name) for log in Log for column in COLUMNS[log]}
    known |= {
        (dg.AssetKey(["logs", log.value]), name) for log in Log for name in ("log_date", "source_file", "row_number")
    }
    lineage = {}
    for key, metadata in made.items():
        if COLUMN_SCHEMA in metadata:
            known |= {(key, column.name) for column in metadata[COLUMN_SCHEMA].schema.columns}
        if COLUMN_LINEAGE in metadata:
            for column, parents in metadata[COLUMN_LINEAGE].column_lineage.deps_by_column.items():
                lineage[key, column] = {(parent.asset_key, parent.column_name) for parent in parents}
    for column, parents in lineage.items():
        assert column in known
        assert parents <= known, column
    for mart in BASE_MARTS:
        covered = {column.name for column in columns(mart) if lineage.get((dg.AssetKey(["marts", mart]), column.name))}
        assert {column.name for column in columns(mart)} - covered == MADE_FROM_NO_COLUMN.get(mart, set()), mart
    ancestors, parents = set(), {(dg.AssetKey(["marts", "delivery_status"]), "mobile_number")}
    while parents - ancestors:
        ancestors |= parents
        parents = {parent for column in parents for parent in lineage.get(column, set())}
    assert (dg.AssetKey(["logs", "sends"]), "mobile_number") in ancestors


def test_the_lineage_of_a_rate_names_numerator_and_denominator(
    made: dict[dg.AssetKey, dict[str, dg.MetadataValue]],
) -> None:
    parents = made[dg.AssetKey(["marts", "campaign_metrics"])][COLUMN_LINEAGE].column_lineage.deps_by_column
    assert {(parent.asset_key.path[-1], parent.column_name) for parent in parents["click_to_delivered_rate"]} == {
        ("int_campaign_clicks_aggregated", "unique_clickers"),
        ("int_campaign_sends_aggregated", "total_delivered"),
    }
    table = made[dg.AssetKey(["marts", "campaign_metrics"])]["columns_from"].value
    assert (
        "| click_to_delivered_rate | int_campaign_clicks_aggregated.unique_clickers,"
        " int_campaign_sends_aggregated.total_delivered |" in table
    )


def test_figures_are_numbers_and_equal_the_data(
    refreshed_small: RefreshedWarehouse, made: dict[dg.AssetKey, dict[str, dg.MetadataValue]]
) -> None:
    warehouse = refreshed_small.warehouse
    marts = all_marts(warehouse.paths.published_marts)
    for mart, metadata in _of_marts(made):
        assert metadata[ROW_COUNT].value == len(marts[mart])
        assert isinstance(metadata["seconds"].value, float)
    for log in Log:
        metadata = made[dg.AssetKey(["logs", log.value])]
        recorded = warehouse.ledger.files(log)
        assert metadata["rows_in"].value == sum(file.records for file in recorded)
        assert metadata["rows_accepted"].value == metadata[ROW_COUNT].value == sum(file.accepted for file in recorded)
        assert metadata["rows_quarantined"].value == sum(file.rejected for file in recorded)
        assert metadata["quarantined_share"].value == metadata["rows_quarantined"].value / metadata["rows_in"].value
        in_landing = [refreshed_small.landing / log / file.source_file for file in recorded]
        assert metadata["bytes_of_log_files"].value == sum(file.stat().st_size for file in in_landing)
        in_lake = (warehouse.paths.lake / log).glob("log_date=*/*.parquet")
        assert metadata["bytes_in_lake"].value == sum(f.stat().st_size for f in in_lake if f.name != "empty.parquet")
        assert metadata["seconds"].value > 0
        assert isinstance(metadata["first_event"], dg.TimestampMetadataValue)
        assert metadata["first_event"].value <= metadata["last_event"].value
        dates = [file.log_date for file in recorded]
        assert (metadata["first_log_date"].value, metadata["last_log_date"].value) == (str(min(dates)), str(max(dates)))
    published = made[dg.AssetKey(["published", "marts"])]
    kept = warehouse.paths.kept_builds / f"{published['build_id'].value}.duckdb"
    assert published["bytes"].value == kept.stat().st_size
    assert isinstance(published["published_at"], dg.TimestampMetadataValue)
    for report in REPORTS:
        exported = made[dg.AssetKey(["exports", report])]
        assert exported["bytes"].value > 0
        assert exported[ROW_COUNT].value == len(marts[report])


def test_a_load_of_no_file_reports_no_figures() -> None:
    """Zeros would make every plot fall each quiet night."""
    assert load_facts([], {}) == {}


def test_no_metadata_holds_a_contact_id_or_a_phone_number(
    refreshed_small: RefreshedWarehouse, made: dict[dg.AssetKey, dict[str, dg.MetadataValue]]
) -> None:
    rows = all_marts(refreshed_small.warehouse.paths.published_marts)["delivery_status"]
    secrets = {row[column] for row in rows for column in ("contact_id", "mobile_number")}
    assert len(secrets) > 10
    for key, metadata in made.items():
        shown = " ".join(repr(value) for value in metadata.values())
        assert not re.search(r"\+\d{7}", shown), key
        assert [secret for secret in secrets if re.search(rf"(?<![\w/-]){re.escape(secret)}(?![\w/-])", shown)] == [], (
            key
        )
