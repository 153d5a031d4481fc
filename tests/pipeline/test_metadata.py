"""What Dagster shows of the assets: every answer is there, is a number where it is to be plotted, and names nobody."""

import re
from collections.abc import Iterator

import dagster as dg
import pytest

from models.enums import Log
from models.logs import COLUMNS
from models.marts import DBT_MARTS, columns
from orchestration.defs.exports import GROUP_ON_REQUEST
from orchestration.metadata import COLUMN_LINEAGE, COLUMN_SCHEMA, ROW_COUNT, of_loaded
from orchestration.run_refresh import dagster_home
from tests.running import RefreshedWarehouse, all_marts, environment
from warehouse.export.exports import REPORTS

MADE_FROM_NO_COLUMN = {"unmatched_events": {"log", "kind"}, "unmapped_receipts": {"receipts"}}
"""Constants, and a count of rows."""


@pytest.fixture(scope="module")
def specs(refreshed_small: RefreshedWarehouse) -> dict[dg.AssetKey, dg.AssetSpec]:
    with environment(refreshed_small.environment):
        from orchestration.definitions import defs

        return {spec.key: spec for spec in defs().resolve_all_asset_specs()}


@pytest.fixture(scope="module")
def made(refreshed_small: RefreshedWarehouse) -> dict[dg.AssetKey, dict[str, dg.MetadataValue]]:
    """What the refresh told of each asset; other tests may have had runs of their own since."""
    with (
        environment(refreshed_small.environment),
        dg.DagsterInstance.from_config(str(dagster_home(refreshed_small.warehouse))) as instance,
    ):
        (refresh,) = instance.get_runs(dg.RunsFilter(job_name="refresh"), limit=1, ascending=True)
        entries = instance.all_logs(refresh.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
        told = [entry.dagster_event.step_materialization_data.materialization for entry in entries]
        return {one.asset_key: dict(one.metadata) for one in told if one.partition is None}


def _of_marts(
    made: dict[dg.AssetKey, dict[str, dg.MetadataValue]],
) -> Iterator[tuple[str, dict[str, dg.MetadataValue]]]:
    for mart in DBT_MARTS:
        yield mart, made[dg.AssetKey(["marts", mart])]


def test_every_asset_tells_its_layer_whether_it_is_personal_and_which_code_makes_it(
    specs: dict[dg.AssetKey, dg.AssetSpec], made: dict[dg.AssetKey, dict[str, dg.MetadataValue]]
) -> None:
    on_request = {key for key, spec in specs.items() if spec.group_name == GROUP_ON_REQUEST}
    assert made.keys() == specs.keys() - on_request
    for key, spec in specs.items():
        assert {"domain", "layer", "personal_data"} <= spec.tags.keys(), key
        assert spec.code_version, key
        assert "```" not in (spec.description or ""), f"{key}: words, not SQL"


def test_marts_that_name_contacts_or_numbers_are_marked(specs: dict[dg.AssetKey, dg.AssetSpec]) -> None:
    marked = {mart for mart in DBT_MARTS if specs[dg.AssetKey(["marts", mart])].tags["personal_data"] == "yes"}
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
        for told in (metadata[COLUMN_SCHEMA], specs[dg.AssetKey(["marts", mart])].metadata[COLUMN_SCHEMA]):
            schema = getattr(told, "schema", told)
            shown = [(c.name, c.type, c.description, c.constraints.nullable) for c in schema.columns]
            assert shown == contract, mart
    for log in Log:
        schema = specs[dg.AssetKey(["logs", log.value])].metadata[COLUMN_SCHEMA]
        assert [column.name for column in schema.columns] == [column.name for column in COLUMNS[log]]


def test_columns_of_all_models_have_the_types_that_were_built(
    made: dict[dg.AssetKey, dict[str, dg.MetadataValue]],
) -> None:
    for key, metadata in made.items():
        if key.path[0] not in ("staging", "intermediate", "this_run", "internal", "seeds"):
            continue
        assert metadata[COLUMN_SCHEMA].schema.columns, key
        assert [column.name for column in metadata[COLUMN_SCHEMA].schema.columns if column.type == "?"] == [], key
    resolved = made[dg.AssetKey(["intermediate", "int_messages_resolved"])][COLUMN_SCHEMA].schema
    assert [column.name for column in resolved.columns if column.constraints.unique] == ["message_id"]


def test_every_column_of_a_mart_says_which_columns_it_is_made_from_as_far_as_the_log(
    made: dict[dg.AssetKey, dict[str, dg.MetadataValue]],
) -> None:
    there = {(dg.AssetKey(["logs", log.value]), column.name) for log in Log for column in COLUMNS[log]}
    there |= {
        (dg.AssetKey(["logs", log.value]), name) for log in Log for name in ("log_date", "source_file", "row_number")
    }
    lineage = {}
    for key, metadata in made.items():
        if COLUMN_SCHEMA in metadata:
            there |= {(key, column.name) for column in metadata[COLUMN_SCHEMA].schema.columns}
        if COLUMN_LINEAGE in metadata:
            for column, parents in metadata[COLUMN_LINEAGE].column_lineage.deps_by_column.items():
                lineage[key, column] = {(parent.asset_key, parent.column_name) for parent in parents}
    for column, parents in lineage.items():
        assert column in there
        assert parents <= there, column
    for mart in DBT_MARTS:
        covered = {column.name for column in columns(mart) if lineage.get((dg.AssetKey(["marts", mart]), column.name))}
        assert {column.name for column in columns(mart)} - covered == MADE_FROM_NO_COLUMN.get(mart, set()), mart
    led, back_to = set(), {(dg.AssetKey(["marts", "delivery_status"]), "mobile_number")}
    while back_to - led:
        led |= back_to
        back_to = {parent for column in back_to for parent in lineage.get(column, set())}
    assert (dg.AssetKey(["logs", "sends"]), "mobile_number") in led


def test_a_rate_comes_from_what_it_is_divided_by(made: dict[dg.AssetKey, dict[str, dg.MetadataValue]]) -> None:
    told = made[dg.AssetKey(["marts", "campaign_metrics"])][COLUMN_LINEAGE].column_lineage.deps_by_column
    assert {(parent.asset_key.path[-1], parent.column_name) for parent in told["click_to_delivered_rate"]} == {
        ("int_campaign_clicks_aggregated", "unique_clickers"),
        ("int_campaign_sends_aggregated", "total_delivered"),
    }
    words = made[dg.AssetKey(["marts", "campaign_metrics"])]["columns_from"].value
    assert (
        "| click_to_delivered_rate | int_campaign_clicks_aggregated.unique_clickers,"
        " int_campaign_sends_aggregated.total_delivered |" in words
    )


def test_figures_are_numbers_and_right(
    refreshed_small: RefreshedWarehouse, made: dict[dg.AssetKey, dict[str, dg.MetadataValue]]
) -> None:
    warehouse = refreshed_small.warehouse
    marts = all_marts(warehouse.paths.published_marts)
    for mart, metadata in _of_marts(made):
        assert metadata[ROW_COUNT].value == len(marts[mart])
        assert isinstance(metadata["seconds"].value, float)
    for log in Log:
        metadata = made[dg.AssetKey(["logs", log.value])]
        noted = warehouse.ledger.files(log)
        assert metadata["rows_in"].value == sum(file.records for file in noted)
        assert metadata["rows_accepted"].value == metadata[ROW_COUNT].value == sum(file.accepted for file in noted)
        assert metadata["rows_quarantined"].value == sum(file.rejected for file in noted)
        assert metadata["quarantined_share"].value == metadata["rows_quarantined"].value / metadata["rows_in"].value
        in_landing = [refreshed_small.landing / log / file.source_file for file in noted]
        assert metadata["bytes_of_log_files"].value == sum(file.stat().st_size for file in in_landing)
        in_lake = (warehouse.paths.lake / log).glob("log_date=*/*.parquet")
        assert metadata["bytes_in_lake"].value == sum(f.stat().st_size for f in in_lake if f.name != "empty.parquet")
        assert metadata["seconds"].value > 0
        assert isinstance(metadata["first_event"], dg.TimestampMetadataValue)
        assert metadata["first_event"].value <= metadata["last_event"].value
        dates = [file.log_date for file in noted]
        assert (metadata["first_log_date"].value, metadata["last_log_date"].value) == (str(min(dates)), str(max(dates)))
    published = made[dg.AssetKey(["published", "marts"])]
    kept = warehouse.paths.kept_builds / f"{published['build_id'].value}.duckdb"
    assert published["bytes"].value == kept.stat().st_size
    assert isinstance(published["published_at"], dg.TimestampMetadataValue)
    for report in REPORTS:
        exported = made[dg.AssetKey(["exports", report])]
        assert exported["bytes"].value > 0
        assert exported[ROW_COUNT].value == len(marts[report])


def test_a_load_that_found_nothing_new_gives_no_figures() -> None:
    """Zeros would make every plot fall each quiet night."""
    assert of_loaded([], {}) == {}


def test_nothing_that_is_shown_names_a_contact_or_a_number(
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
