"""What an operator finds in Dagster: lineage, partitions, checks, jobs, schedules, pruning; and that a date can be reloaded."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from models.check_results import CheckResult, Rule
from models.enums import Log
from models.marts import BASE_MARTS
from orchestration.defs.audit import checks, mart_assets
from orchestration.defs.jobs import prune_after_refresh, prune_exports
from orchestration.metadata import check_result
from orchestration.run_refresh import STARTED_BY_COMMAND, dagster_home, run_refresh
from orchestration.stages import AppContext, RefreshPlan, plan_refresh
from quality.audit import KINDS, expected_checks
from tests.running import RefreshedWarehouse, all_marts, copy_of, environment, refresh_in_process
from warehouse.export import REPORTS, campaign_hash
from warehouse.ledger import now


@pytest.fixture(scope="module")
def instance(refreshed_small: RefreshedWarehouse) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(dagster_home(refreshed_small.warehouse))) as instance:
        yield instance


def test_lineage_leads_from_every_log_to_every_export(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for report in REPORTS:
        upstream = graph.get_ancestor_asset_keys(dg.AssetKey(["exports", report]))
        assert {dg.AssetKey(["logs", log.value]) for log in Log} <= upstream
        assert {dg.AssetKey(["marts", mart]) for mart in BASE_MARTS} <= upstream


def test_every_schedule_and_sensor_says_in_the_ui_what_it_starts(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    triggers = [*repository.schedule_defs, *repository.sensor_defs]
    assert {trigger.name for trigger in triggers if not trigger.description} == set()
    starts_no_run = {sensor.name for sensor in repository.sensor_defs if "Starts no run." in sensor.description}
    has_a_job = {sensor.name for sensor in repository.sensor_defs if sensor.has_jobs}
    assert has_a_job == {"landing_zone", "prune_after_refresh"}
    assert starts_no_run == {sensor.name for sensor in repository.sensor_defs} - has_a_job


def test_every_asset_has_an_owner_a_group_a_kind_and_a_description(definitions: dg.Definitions) -> None:
    for spec in definitions.resolve_all_asset_specs():
        assert spec.owners, spec.key
        assert spec.group_name != "default", spec.key
        assert spec.kinds, spec.key
        assert spec.description, spec.key


def test_every_check_but_the_dbt_tests_has_a_description(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    specs = [graph.get_check_spec(key) for key in graph.asset_check_keys]
    own = [spec for spec in specs if spec.name in {*KINDS, "admitted", "on_time", "current"}]
    assert len(own) == len(KINDS) * len(BASE_MARTS) + 2 * len(Log) + len(REPORTS) + 1
    assert [spec.key for spec in own if not spec.description] == []


def test_no_check_ends_a_run_before_the_gate(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    specs = [graph.get_check_spec(key) for key in graph.asset_check_keys]
    assert len(specs) > 100
    assert [spec.name for spec in specs if spec.blocking] == []


def test_the_page_of_a_mart_shows_its_contract_and_expectations(
    refreshed_small: RefreshedWarehouse, definitions: dg.Definitions
) -> None:
    assets = mart_assets(refreshed_small.warehouse.settings)
    assert checks(assets).keys() == expected_checks(BASE_MARTS)
    graph = definitions.resolve_asset_graph()
    for mart in BASE_MARTS:
        key = dg.AssetKey(["marts", mart])
        names = {check.name for check in graph.asset_check_keys if check.asset_key == key}
        assert names > set(KINDS), f"{mart}: these, and the dbt tests"
    assert [check for check in graph.asset_check_keys if check.asset_key.path[0] == "audit"] == []


def test_a_run_that_was_killed_is_closed_by_the_next(
    refreshed_small: RefreshedWarehouse, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    """A run left as started would count as running for ever."""
    job = definitions.resolve_job_def("csv_exports")
    killed = instance.create_run_for_job(job, tags=STARTED_BY_COMMAND, status=dg.DagsterRunStatus.STARTED)
    with environment(refreshed_small.environment):
        run_refresh(refreshed_small.warehouse, RefreshPlan(must_export=True))
    assert instance.get_run_by_id(killed.run_id).status == dg.DagsterRunStatus.FAILURE


def test_logs_are_partitioned_by_date_and_nothing_else_is(definitions: dg.Definitions) -> None:
    for spec in definitions.resolve_all_asset_specs():
        is_log = spec.key.path[0] == "logs"
        assert (spec.partitions_def is not None) == is_log, spec.key


def test_every_job_that_is_not_started_by_hand_has_a_schedule(definitions: dg.Definitions) -> None:
    schedules = {schedule.name: schedule for schedule in definitions.schedules}
    assert {name: schedule.job_name for name, schedule in schedules.items()} == {
        "nightly_refresh": "refresh",
        "daily_exports": "csv_exports",
        "daily_pruning": "prune_exports",
    }
    assert {schedule.execution_timezone for schedule in schedules.values()} == {"UTC"}


def test_the_refresh_reported_every_date_that_it_loaded(
    refreshed_small: RefreshedWarehouse, instance: dg.DagsterInstance
) -> None:
    for log in Log:
        dates = {file.log_date.isoformat() for file in refreshed_small.warehouse.ledger.files(log)}
        assert instance.get_materialized_partitions(dg.AssetKey(["logs", log.value])) == dates


def test_row_counts_previews_and_the_checks_of_every_mart_are_recorded(
    refreshed_small: RefreshedWarehouse, instance: dg.DagsterInstance
) -> None:
    event = instance.get_latest_materialization_event(dg.AssetKey(["marts", "delivery_status"]))
    metadata = event.asset_materialization.metadata
    assert metadata["dagster/row_count"].value == 32
    assert "| campaign_id |" in metadata["preview"].value
    assert "+4477000" not in metadata["preview"].value, "phone numbers are masked"
    keys = [dg.AssetCheckKey(dg.AssetKey(["marts", mart]), kind) for mart in BASE_MARTS for kind in KINDS]
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    assert len(records) == len(keys) > 0


@pytest.mark.parametrize("selects_all", [True, False])
def test_the_checks_of_a_mart_can_be_run_from_its_page(definitions: dg.Definitions, selects_all: bool) -> None:
    mart = dg.AssetKey(["marts", "campaign_metrics"])
    checks = {key for key in definitions.resolve_asset_graph().asset_check_keys if key.asset_key == mart}
    selected = checks if selects_all else {dg.AssetCheckKey(mart, "contract")}
    job = dg.define_asset_job("checks", dg.AssetSelection.checks(*selected))
    with dg.DagsterInstance.ephemeral() as instance:
        result = (
            dg.Definitions.merge(definitions, dg.Definitions(jobs=[job]))
            .resolve_job_def("checks")
            .execute_in_process(instance=instance)
        )
    evaluations = result.get_asset_check_evaluations()
    assert {(evaluation.asset_key, evaluation.check_name) for evaluation in evaluations} == {
        (key.asset_key, key.name) for key in selected
    }
    assert result.get_asset_materialization_events() == []


def test_the_page_of_a_log_shows_why_rows_are_in_quarantine(
    refreshed_small: RefreshedWarehouse, instance: dg.DagsterInstance
) -> None:
    logs_with_rejected_rows = {file.log for file in refreshed_small.warehouse.ledger.files() if file.rejected}
    assert logs_with_rejected_rows
    for log in Log:
        event = instance.get_latest_materialization_event(dg.AssetKey(["logs", log.value]))
        reasons = event.asset_materialization.metadata["quarantine_reasons"].value
        assert (reasons == "none") == (log not in logs_with_rejected_rows)
        assert "+44" not in reasons


def test_the_audit_shows_the_path_of_its_page_and_a_check_its_counts(
    refreshed_small: RefreshedWarehouse, instance: dg.DagsterInstance
) -> None:
    audit = dg.AssetKey(["audit", "candidate_audit"])
    page = Path(instance.get_latest_materialization_event(audit).asset_materialization.metadata["page"].value)
    audits = refreshed_small.warehouse.paths.audits
    assert page.parts[-3:-1] == audits.parts[-2:]
    assert (audits / page.name).exists()
    assert f"Audit of build {page.stem}" in page.read_text()
    key = dg.AssetCheckKey(dg.AssetKey(["marts", "delivery_status"]), "contract")
    (record,) = instance.event_log_storage.get_latest_asset_check_execution_by_key([key]).values()
    metadata = record.event.asset_check_evaluation.metadata
    assert (metadata["checked_rows"].value, metadata["failing_rows"].value) == (32, 0)


def test_a_failed_check_shows_the_rule_and_the_keys_of_failing_rows() -> None:
    key = dg.AssetCheckKey(dg.AssetKey(["marts", "delivery_status"]), "contract")
    rule = Rule("sums agree", False, "not so", 9, 2, ({"campaign_id": "c1"},))
    failed = CheckResult("contract_delivery_status", True, False, "not so", (rule,))
    metadata = check_result(key, failed).metadata
    assert (metadata["checked_rows"].value, metadata["failing_rows"].value) == (9, 2)
    assert metadata["failed_rules"].value == [
        {"expected": "sums agree", "checked_rows": 9, "failing_rows": 2, "keys": [{"campaign_id": "c1"}]}
    ]


def test_a_date_or_a_range_can_be_reloaded_by_hand_and_the_next_refresh_builds_on_it(
    refreshed_small: RefreshedWarehouse, definitions: dg.Definitions
) -> None:
    warehouse = refreshed_small.warehouse
    before = {file.source_file: file.loaded_at for file in warehouse.ledger.files(Log.SENDS)}
    marts = _sorted_marts(warehouse)
    result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
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
    rows_by_date = {
        event.materialization.partition: event.materialization.metadata["rows_in"].value
        for event in result.get_asset_materialization_events()
    }
    assert rows_by_date == {
        day: sum(file.records for file in warehouse.ledger.files(Log.SENDS) if file.log_date.isoformat() == day)
        for day in reloaded
    }, "the figures of each date, not their sum"
    with environment(refreshed_small.environment):
        ended = run_refresh(warehouse, plan_refresh(warehouse))
    assert (ended.outcome, _sorted_marts(warehouse)) == ("published", marts)


def test_no_job_writes_a_report_that_is_exported_on_request(definitions: dg.Definitions) -> None:
    for job in ("refresh", "csv_exports"):
        keys = definitions.resolve_job_def(job).asset_layer.executable_asset_keys
        assert {key.path[1] for key in keys if key.path[0] == "exports"} == set(REPORTS)


def test_an_export_of_one_campaign_goes_through_the_asset_of_the_scheduled_ones(
    refreshed_small: RefreshedWarehouse, definitions: dg.Definitions
) -> None:
    warehouse = refreshed_small.warehouse
    rows = all_marts(warehouse.paths.published_marts)
    campaign = rows["delivery_status"][0]["campaign_id"]
    before = (plan_refresh(warehouse), warehouse.ledger.exported_files("delivery_status"))
    reports = ("delivery_status", "attributed_orders")
    config = {"config": {"campaign": campaign, "format": "xlsx"}}
    result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        asset_selection=[dg.AssetKey(["exports", report]) for report in reports],
        run_config={"ops": {f"exports__{report}": config for report in reports}},
    )
    by_report = {
        event.asset_key.path[1]: event.materialization.metadata for event in result.get_asset_materialization_events()
    }
    try:
        assert by_report.keys() == set(reports)
        for report, metadata in by_report.items():
            file = Path(metadata["path"].value)
            assert file.match(f"{report}-{campaign_hash(campaign)}_*.xlsx")
            assert metadata["bytes"].value == file.stat().st_size
            rows_of_campaign = sum(row["campaign_id"] == campaign for row in rows[report])
            assert metadata["dagster/row_count"].value == rows_of_campaign
        assert (plan_refresh(warehouse), warehouse.ledger.exported_files("delivery_status")) == before
    finally:
        for metadata in by_report.values():
            for suffix in (".xlsx", ".json"):
                Path(metadata["path"].value).with_suffix(suffix).unlink()


# --- pruning


def test_the_pruning_job_deletes_old_exports_and_names_them(
    refreshed_small: RefreshedWarehouse, definitions: dg.Definitions
) -> None:
    old = _drop_old_export(refreshed_small.warehouse)
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions.resolve_job_def("prune_exports")
        result = job.execute_in_process(instance=instance)
    (output,) = result.filter_events(lambda event: event.event_type is dg.DagsterEventType.STEP_OUTPUT)
    assert output.step_output_data.metadata["files"].value == f"{REPORTS[0]}/{old.name}"
    assert not old.exists()


def test_a_refresh_without_a_failed_step_that_publishes_nothing_has_failed(
    refreshed_small: RefreshedWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dagster skips every step after one that yields nothing."""
    copy = copy_of(refreshed_small, tmp_path, max_rejected_share="1")
    monkeypatch.setattr("orchestration.defs.build._facts_by_asset", lambda *_: {})
    (copy.landing / "unsubscribes" / "2026-01-25.csv").write_text(
        "contact_id,unsubscribed_at\nnew,2026-01-25T08:00:00Z\n", encoding="utf-8"
    )
    again = refresh_in_process(copy.warehouse.paths.data, copy.landing, max_rejected_share="1")
    assert again.outcome == "failed"
    assert again.message.startswith("refresh-not-finished: no step failed, but the build was not published.")


def test_a_refresh_prunes_old_exports(refreshed_small: RefreshedWarehouse, instance: dg.DagsterInstance) -> None:
    old = _drop_old_export(refreshed_small.warehouse)
    with environment(refreshed_small.environment):
        run_refresh(refreshed_small.warehouse, RefreshPlan(must_export=True))
    assert not old.exists()
    last_run = instance.get_runs(limit=1)[0]
    assert (last_run.job_name, last_run.status) == ("prune_exports", dg.DagsterRunStatus.SUCCESS)


def test_a_refresh_of_dagster_starts_the_pruning_job_once_a_day() -> None:
    before = now().date()
    request = _after_refresh({})
    # Dagster starts one run for each key.
    assert request.run_key in {before.isoformat(), now().date().isoformat()}
    assert prune_after_refresh.job_name == prune_exports.name
    assert isinstance(_after_refresh(STARTED_BY_COMMAND), dg.SkipReason)


def _after_refresh(tags: dict[str, str]) -> dg.RunRequest | dg.SkipReason:
    @dg.job(name="refresh")
    def refresh() -> None: ...

    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(refresh, tags=tags)
        success = dg.DagsterEvent(event_type_value=dg.DagsterEventType.RUN_SUCCESS.value, job_name="refresh")
        return prune_after_refresh(dg.build_run_status_sensor_context(prune_after_refresh.name, success, instance, run))


def _drop_old_export(warehouse: AppContext) -> Path:
    exported_at = now() - timedelta(days=warehouse.settings.export_retention_days + 1)
    file = warehouse.paths.exports / REPORTS[0] / f"{REPORTS[0]}_{exported_at:%Y%m%dT%H%M%SZ}.csv"
    file.touch()
    return file


def _sorted_marts(warehouse: AppContext) -> dict[str, list[str]]:
    marts = all_marts(warehouse.paths.published_marts)
    return {mart: sorted(map(repr, rows)) for mart, rows in marts.items()}
