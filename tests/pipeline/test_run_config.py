"""Hostile values in the run config and the tags of a Dagster run: refused with a reason, and nothing is read or written.

Not here: hostile text in log files (`test_hostile_input`).
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from models.error_codes import Code
from orchestration.dagster_internals import SerializableErrorInfo
from orchestration.errors import Failure, failure_of_step
from tests.running import RefreshedWarehouse
from warehouse.ledger import now

SENDS, EXPORT = dg.AssetKey(["logs", "sends"]), dg.AssetKey(["exports", "delivery_status"])
SECRET = "hunter2"

TEXTS = (
    "../../x",
    "'; drop table marts.campaigns; --",
    "$(touch x)",
    "{{ 7*7 }}",
    "a\0b",
    "\ud800",
    "\x1b[31m",
    "x" * 5000,
    "",
)
RANGES = [("1999-01-01", "1999-01-01"), ("2019-12-30", "2020-01-02"), ("2026-01-07", "2026-01-06")]


@pytest.fixture
def failure_of_run(refreshed_small: RefreshedWarehouse, definitions: dg.Definitions):
    """Runs one asset; gives what its step failed of. The run writes no file, and shows no secret."""
    data = refreshed_small.warehouse.paths.data

    def files() -> dict[Path, bytes]:
        folders = (data / name for name in ("lake", "quarantine", "published", "exports", "changes"))
        return {file: file.read_bytes() for folder in folders for file in folder.rglob("*.*") if file.is_file()}

    def run(asset: dg.AssetKey, config: dict[str, Any], tags: dict[str, str] | None = None) -> Failure:
        before, beside = files(), sorted(data.parent.iterdir())
        with dg.DagsterInstance.ephemeral() as instance:
            result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
                asset_selection=[asset], run_config=config, tags=tags, instance=instance, raise_on_error=False
            )
            history = "\n".join(map(str, instance.all_logs(result.run_id)))
        assert SECRET not in history
        assert (files(), sorted(data.parent.iterdir())) == (before, beside)
        (event,) = (event for event in result.all_events if event.is_step_failure)
        error = event.step_failure_data.error
        assert isinstance(error, SerializableErrorInfo)
        return failure_of_step(event.step_key, error, refreshed_small.warehouse)

    return run


def test_a_hostile_campaign_is_no_campaign(failure_of_run) -> None:
    for text in TEXTS:
        failure = failure_of_run(EXPORT, {"ops": {"exports__delivery_status": {"config": {"campaign": text}}}})
        assert failure.code is Code.EXPORT_REFUSED, text


def test_a_hostile_format_or_name_of_a_report_is_refused(failure_of_run, definitions: dg.Definitions) -> None:
    for text in ("../../x", "xlsx\n", "parquet", ""):
        failure = failure_of_run(EXPORT, {"ops": {"exports__delivery_status": {"config": {"format": text}}}})
        assert f"format: must be one of csv, xlsx (is {text!r})" in failure.description
    with pytest.raises(dg.DagsterInvalidConfigError, match="unexpected config entry"):
        failure_of_run(EXPORT, {"ops": {"exports__delivery_status": {"config": {"path": "/x"}}}})
    with pytest.raises(dg.DagsterInvalidSubsetError):
        failure_of_run(dg.AssetKey(["exports", "../../x"]), {})


def test_a_date_that_is_none_is_refused(failure_of_run) -> None:
    for text in ("2026-13-01", "not a date", "../../x", "2026-01-06T00:00", ""):
        failure = failure_of_run(SENDS, {"ops": {"logs__sends": {"config": {"dates": [text]}}}})
        assert failure.code is Code.SETTING_INVALID
        assert f"dates: {text!r} is not a date" in failure.description


@pytest.mark.parametrize(
    ("asset", "config"),
    [
        (EXPORT, {"exports__delivery_status": {"config": {"campaign": {"env": "SECRET"}}}}),
        (EXPORT, {"exports__delivery_status": {"config": {"format": {"env": "SECRET"}}}}),
        (SENDS, {"logs__sends": {"config": {"dates": [{"env": "SECRET"}]}}}),
    ],
)
def test_a_run_config_reads_no_environment_variable(
    failure_of_run, monkeypatch: pytest.MonkeyPatch, asset: dg.AssetKey, config: dict[str, Any]
) -> None:
    """The value would stand in error messages, in Dagster's history."""
    monkeypatch.setenv("SECRET", SECRET)
    failure = failure_of_run(asset, {"ops": config})
    assert failure.code is Code.SETTING_INVALID
    assert "write the value itself" in failure.description


def test_a_run_config_changes_no_setting(failure_of_run, refreshed_small: RefreshedWarehouse) -> None:
    elsewhere = str(refreshed_small.warehouse.paths.data.parent / "elsewhere")
    for settings in ({"data": elsewhere}, {"mask_phone_numbers": "false"}, {"data": "a\0b"}, {}):
        failure = failure_of_run(SENDS, {"resources": {"warehouse": {"config": {"settings": settings}}}})
        assert failure.code is Code.SETTING_INVALID
        assert "settings are read from the environment and .env only" in failure.description


def test_a_range_of_log_dates_that_is_none_or_out_of_range_is_refused(failure_of_run) -> None:
    to_the_future = tuple((now() + timedelta(days=days)).date().isoformat() for days in (0, 3))
    for start, end in (*RANGES, to_the_future):
        tags = {"dagster/asset_partition_range_start": start, "dagster/asset_partition_range_end": end}
        failure = failure_of_run(SENDS, {}, tags)
        assert failure.code is Code.SETTING_INVALID
        assert f"log dates {start} to {end}: must be a range between 20" in failure.description
    assert failure_of_run(SENDS, {}, {"dagster/partition": "1999-01-01"}).code is Code.SETTING_INVALID


@pytest.mark.parametrize("key", ["not-a-date", "2026-13-01", "../../x", ""])
def test_dagster_starts_no_run_for_a_partition_that_is_no_date(failure_of_run, key: str) -> None:
    with pytest.raises(ValueError, match="does not match format"):
        failure_of_run(SENDS, {}, {"dagster/partition": key})
