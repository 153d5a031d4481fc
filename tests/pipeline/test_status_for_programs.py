"""`sendmart status --json` and `--fail-if-older`, for monitors; `sendmart diff --against` another data folder."""

import json
from datetime import timedelta
from pathlib import Path

import duckdb
import jsonschema
import pytest
from click.testing import Result
from typer.testing import CliRunner

from orchestration.cli.main import app
from orchestration.stages import AppContext
from tests.running import RefreshedWarehouse, copy_of, environment, environment_of
from warehouse.config.settings import PROJECT, load_settings
from warehouse.ledger import Refresh, now

SCHEMA = json.loads((PROJECT / "docs" / "schemas" / "status.schema.json").read_text(encoding="utf-8"))


def _state(variables: dict[str, str]) -> dict[str, object]:
    with environment(variables):
        run = CliRunner().invoke(app, ["status", "--json"])
    assert run.exit_code == 0
    state = json.loads(run.stdout)
    jsonschema.validate(state, SCHEMA, format_checker=jsonschema.FormatChecker())
    return state


def test_the_json_is_the_state_of_the_ledger(refreshed_small: RefreshedWarehouse, tmp_path: Path) -> None:
    copy = copy_of(refreshed_small, tmp_path)
    ledger = copy.warehouse.ledger
    began_at = now()
    ledger.record_run(Refresh(began_at, now(), "published", ""))
    state = _state(copy.environment)
    assert (state["last_refresh"]["outcome"], state["last_refresh"]["message"]) == ("published", "")
    assert state["published"]["build_id"] == ledger.last_publication()[0]
    assert state["published"]["rolled_back_from"] is None
    assert state["missing_days"]["unsubscribes"][:4] == ["2026-01-06", "2026-01-10", "2026-01-11", "2026-01-12"]
    assert state["logs"]["sends"]["accepted_rows"] == sum(f.accepted for f in ledger.files() if f.log == "sends")
    assert {check["is_blocking"] for check in state["failed_checks"]} == {False}
    assert state["is_held_back"] is False
    held_at = now()
    ledger.record_run(Refresh(held_at, held_at, "held back", "file-refused: sends/+447700900123.csv"))
    state = _state(copy.environment)
    assert state["is_held_back"] is True
    assert "447700900123" not in state["last_refresh"]["message"]
    ledger.record_publication("by-hand", now() + timedelta(seconds=1))
    assert _state(copy.environment)["is_held_back"] is False


def test_a_new_data_folder_has_a_state(tmp_path: Path) -> None:
    state = _state(environment_of(tmp_path / "data", tmp_path / "landing"))
    assert (state["last_refresh"], state["published"], state["last_success_at"]) == (None, None, None)


@pytest.mark.parametrize(
    ("outcome", "hours", "age", "exit_code"),
    [
        ("published", 25, "26h", 0),
        ("published", 27, "26h", 1),
        ("nothing new", 1, "90m", 0),
        ("nothing new", 2, "90m", 1),
        ("published", 49, "2d", 1),
        ("held back", 1, "2d", 1),
        ("interrupted", 1, "2d", 1),
    ],
)
def test_an_old_success_is_exit_code_1(tmp_path: Path, outcome: str, hours: int, age: str, exit_code: int) -> None:
    variables = environment_of(tmp_path / "data", tmp_path / "landing")
    with environment(variables):
        ended = now() - timedelta(hours=hours)
        AppContext.of(load_settings()).ledger.record_run(Refresh(ended, ended, outcome, ""))
        for more in ([], ["--json"]):
            run = CliRunner().invoke(app, ["status", "--fail-if-older", age, *more])
            assert (run.exit_code, "No refresh has succeeded" in run.stderr) == (exit_code, exit_code == 1)


def test_the_published_builds_of_two_data_folders_are_compared(
    refreshed_small: RefreshedWarehouse, tmp_path: Path
) -> None:
    production, staging = (copy_of(refreshed_small, tmp_path / name) for name in ("production", "staging"))

    def diff(*options: str) -> Result:
        with environment(staging.environment):
            return CliRunner().invoke(app, ["diff", "--against", str(production.warehouse.paths.data), *options])

    same = diff()
    assert (same.exit_code, "nothing to compare" in same.stderr) == (2, True)
    with duckdb.connect(staging.warehouse.paths.published_marts) as connection:
        connection.execute("update marts.build_info set build_id = '20260101T000000Z-abcdef'")
        ((campaign,),) = connection.execute("select min(campaign_id) from marts.campaign_metrics").fetchall()
        connection.execute(
            "update marts.campaign_metrics set total_sent = total_sent + 1000 where campaign_id = ?", [campaign]
        )
    staging.warehouse.ledger.record_publication("20260101T000000Z-abcdef", now())
    compared = diff("current")
    assert compared.exit_code == 0, compared.output
    build_id = production.warehouse.ledger.last_publication()[0]
    assert f"From build {build_id} to build " in compared.output
    assert campaign in compared.output
    assert diff("current", "candidate").exit_code == 2
    with environment(staging.environment):
        none = CliRunner().invoke(app, ["diff", "--against", str(tmp_path)])
    assert (none.exit_code, "is no published build" in none.stderr) == (2, True)


@pytest.mark.parametrize("age", ["26", "h", "-1h", "1.5h", "26 h"])
def test_an_age_that_is_none_is_exit_code_2(tmp_path: Path, age: str) -> None:
    with environment(environment_of(tmp_path / "data", tmp_path / "landing")):
        run = CliRunner().invoke(app, ["status", f"--fail-if-older={age}"])
    assert (run.exit_code, "such as 90m, 26h or 2d" in " ".join(run.stderr.split())) == (2, True)
