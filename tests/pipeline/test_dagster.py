"""What an operator finds in Dagster: lineage, partitions, checks, jobs, schedules; and that a date can be reloaded."""

from pathlib import Path

import dagster as dg
import pytest

from models.check_results import CheckResult, Rule
from models.enums import Log
from models.marts import DBT_MARTS
from orchestration.defs.build import check_of
from orchestration.run_refresh import STARTED_BY_COMMAND, dagster_home, run_refresh
from orchestration.stages import AppContext, RefreshPlan, plan_refresh
from tests.running import RefreshedWarehouse, all_marts, environment
from warehouse.export.exports import REPORTS, campaign_hash


@pytest.fixture(scope="module")
def definitions(refreshed_small: RefreshedWarehouse) -> dg.Definitions:
    with environment(refreshed_small.environment):
        from orchestration.definitions import defs

        return defs()


@pytest.fixture(scope="module")
def instance(refreshed_small: RefreshedWarehouse) -> dg.DagsterInstance:
    with environment(refreshed_small.environment):
        return dg.DagsterInstance.from_config(str(dagster_home(refreshed_small.warehouse)))


def test_lineage_leads_from_every_log_to_every_export(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for report in REPORTS:
        upstream = graph.get_ancestor_asset_keys(dg.AssetKey(["exports", report]))
        assert {dg.AssetKey(["logs", log.value]) for log in Log} <= upstream
        assert {dg.AssetKey(["marts", mart]) for mart in DBT_MARTS} <= upstream


def test_every_schedule_and_sensor_says_in_the_ui_what_it_starts(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    found = [*repository.schedule_defs, *repository.sensor_defs]
    assert {one.name for one in found if not one.description} == set()
    starts_nothing = {one.name for one in repository.sensor_defs if "Starts no run." in one.description}
    assert starts_nothing == {sensor.name for sensor in repository.sensor_defs} - {"landing_zone"}


def test_every_asset_has_an_owner_a_group_a_kind_and_a_description(definitions: dg.Definitions) -> None:
    for spec in definitions.resolve_all_asset_specs():
        assert spec.owners, spec.key
        assert spec.group_name != "default", spec.key
        assert spec.kinds, spec.key
        assert spec.description, spec.key


def test_no_check_ends_a_run_before_the_gate(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    specs = [graph.get_check_spec(key) for key in graph.asset_check_keys]
    assert len(specs) > 100
    assert [spec.name for spec in specs if spec.blocking] == []


def test_a_run_that_was_killed_is_closed_by_the_next(
    refreshed_small: RefreshedWarehouse, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    """A run left as started would stand in the way of whatever counts the runs in progress."""
    job = definitions.resolve_job_def("csv_exports")
    killed = instance.create_run_for_job(job, tags=STARTED_BY_COMMAND, status=dg.DagsterRunStatus.STARTED)
    with environment(refreshed_small.environment):
        run_refresh(refreshed_small.warehouse, RefreshPlan(must_export=True))
    assert instance.get_run_by_id(killed.run_id).status == dg.DagsterRunStatus.FAILURE


def test_logs_are_partitioned_by_date_and_nothing_else_is(definitions: dg.Definitions) -> None:
    for spec in definitions.resolve_all_asset_specs():
        is_log = spec.key.path[0] == "logs"
        assert (spec.partitions_def is not None) == is_log, spec.key


def test_schedules_run_both_jobs(definitions: dg.Definitions) -> None:
    schedules = {schedule.name: schedule for schedule in definitions.schedules}
    assert schedules["nightly_refresh"].job_name == "refresh"
    assert schedules["daily_exports"].job_name == "csv_exports"
    assert {schedule.execution_timezone for schedule in schedules.values()} == {"UTC"}


def test_the_refresh_reported_every_date_that_it_touched(
    refreshed_small: RefreshedWarehouse, instance: dg.DagsterInstance
) -> None:
    for log in Log:
        touched = {file.log_date.isoformat() for file in refreshed_small.warehouse.ledger.files(log)}
        assert instance.get_materialized_partitions(dg.AssetKey(["logs", log.value])) == touched


def test_checks_and_row_counts_are_recorded(refreshed_small: RefreshedWarehouse, instance: dg.DagsterInstance) -> None:
    event = instance.get_latest_materialization_event(dg.AssetKey(["marts", "delivery_status"]))
    metadata = event.asset_materialization.metadata
    assert metadata["dagster/row_count"].value == 32
    assert "| campaign_id |" in metadata["preview"].value
    assert "+4477000" not in metadata["preview"].value, "phone numbers are masked"
    keys = [
        dg.AssetCheckKey(dg.AssetKey(["audit", "candidate_audit"]), f"{kind}_{mart}")
        for mart in DBT_MARTS
        for kind in ("contract", "volumes", "history")
    ]
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    assert len(records) == len(keys) == 44


def test_a_log_s_asset_shows_why_rows_are_in_quarantine(
    refreshed_small: RefreshedWarehouse, instance: dg.DagsterInstance
) -> None:
    rejected = {file.log for file in refreshed_small.warehouse.ledger.files() if file.rejected}
    assert rejected
    for log in Log:
        event = instance.get_latest_materialization_event(dg.AssetKey(["logs", log.value]))
        reasons = event.asset_materialization.metadata["quarantine_reasons"].value
        assert (reasons == "none") == (log not in rejected)
        assert "+44" not in reasons


def test_the_audit_tells_counts_and_where_its_page_is(
    refreshed_small: RefreshedWarehouse, instance: dg.DagsterInstance
) -> None:
    audit = dg.AssetKey(["audit", "candidate_audit"])
    page = Path(instance.get_latest_materialization_event(audit).asset_materialization.metadata["page"].value)
    assert page.parent == refreshed_small.warehouse.paths.audits
    assert f"Audit of build {page.stem}" in page.read_text()
    assert "nothing against publishing" in page.read_text()
    key = dg.AssetCheckKey(audit, "contract_delivery_status")
    (record,) = instance.event_log_storage.get_latest_asset_check_execution_by_key([key]).values()
    metadata = record.event.asset_check_evaluation.metadata
    assert (metadata["checked_rows"].value, metadata["failing_rows"].value) == (32, 0)
    failed = CheckResult(
        key.name, True, False, "not so", (Rule("sums agree", False, "not so", 9, 2, ({"campaign_id": "c1"},)),)
    )
    told = check_of(key, failed).metadata
    assert (told["checked_rows"].value, told["failing_rows"].value) == (9, 2)
    assert told["failed_rules"].value == [
        {"expected": "sums agree", "checked_rows": 9, "failing_rows": 2, "keys": [{"campaign_id": "c1"}]}
    ]


def test_a_date_or_a_range_can_be_reloaded_by_hand_and_the_next_refresh_builds_on_it(
    refreshed_small: RefreshedWarehouse, definitions: dg.Definitions
) -> None:
    warehouse = refreshed_small.warehouse
    before = {file.source_file: file.loaded_at for file in warehouse.ledger.files(Log.SENDS)}
    marts = _sorted_marts(warehouse)
    with environment(refreshed_small.environment):
        job = definitions.resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(
            asset_selection=[dg.AssetKey(["logs", "sends"])],
            tags={
                "dagster/asset_partition_range_start": "2026-01-06",
                "dagster/asset_partition_range_end": "2026-01-07",
            },
        )
    assert result.success
    reloaded = {
        file.log_date.isoformat()
        for file in warehouse.ledger.files(Log.SENDS)
        if file.loaded_at > before[file.source_file]
    }
    assert reloaded == {"2026-01-06", "2026-01-07"}
    told = {
        event.materialization.partition: event.materialization.metadata["rows_in"].value
        for event in result.get_asset_materialization_events()
    }
    assert told == {
        day: sum(file.records for file in warehouse.ledger.files(Log.SENDS) if file.log_date.isoformat() == day)
        for day in reloaded
    }, "of each date what came of it, not the sum of all"
    with environment(refreshed_small.environment):
        ended = run_refresh(warehouse, plan_refresh(warehouse))
    assert (ended.outcome, _sorted_marts(warehouse)) == ("published", marts)


def test_an_export_of_one_campaign_goes_through_the_asset_of_the_scheduled_ones(
    refreshed_small: RefreshedWarehouse, definitions: dg.Definitions
) -> None:
    """And a report that is only exported on request is made by no job of itself."""
    for job in ("refresh", "csv_exports"):
        made = definitions.resolve_job_def(job).asset_layer.executable_asset_keys
        assert {key.path[1] for key in made if key.path[0] == "exports"} == {*REPORTS, "pruned"}
    warehouse = refreshed_small.warehouse
    rows = all_marts(warehouse.paths.published_marts)
    campaign = rows["delivery_status"][0]["campaign_id"]
    before = (plan_refresh(warehouse), warehouse.ledger.exported_files("delivery_status"))
    reports = ("delivery_status", "attributed_orders")
    asked = {"config": {"campaign": campaign, "format": "xlsx"}}
    with environment(refreshed_small.environment):
        result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            asset_selection=[dg.AssetKey(["exports", report]) for report in reports],
            run_config={"ops": {f"exports__{report}": asked for report in reports}},
        )
    try:
        told = {
            event.asset_key.path[1]: event.materialization.metadata
            for event in result.get_asset_materialization_events()
        }
        assert told.keys() == set(reports)
        for report, metadata in told.items():
            file = Path(metadata["path"].value)
            assert file.match(f"{report}-{campaign_hash(campaign)}_*.xlsx")
            assert metadata["bytes"].value == file.stat().st_size
            held = sum(row["campaign_id"] == campaign for row in rows[report])
            assert metadata["dagster/row_count"].value == held
        assert (plan_refresh(warehouse), warehouse.ledger.exported_files("delivery_status")) == before
    finally:
        for metadata in told.values():
            for suffix in (".xlsx", ".json"):
                Path(metadata["path"].value).with_suffix(suffix).unlink()


def _sorted_marts(warehouse: AppContext) -> dict[str, list[str]]:
    marts = all_marts(warehouse.paths.published_marts)
    return {mart: sorted(map(repr, rows)) for mart, rows in marts.items()}
