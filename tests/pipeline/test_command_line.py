"""The command line as operators use it: output, exit codes, and a build that is held back, accepted or overridden."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.enums import Log
from orchestration import stages
from orchestration.cli.main import app
from orchestration.stages import AppContext
from tests.running import (
    CASES,
    RefreshedWarehouse,
    environment,
    environment_of,
    mart_rows,
    refresh_without_dagster,
    rejected_rows,
    sendmart,
)
from warehouse.config.settings import load_settings
from warehouse.export import REPORTS, campaign_hash

HEADER = "campaign_id,campaign_name,campaign_type,modified_by,modified_at\n"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"SENDMART_CONVERSION_WINDOW_HOURS": "-1"}, "SENDMART_CONVERSION_WINDOW_HOURS"),
        ({"SENDMART_CONVERSION_RATE_DENOMINATOR": "clicks"}, "SENDMART_CONVERSION_RATE_DENOMINATOR"),
        ({"SENDMART_REPORTING_CURENCY": "EUR"}, "did you mean SENDMART_REPORTING_CURRENCY"),
    ],
)
def test_an_invalid_setting_is_one_line_and_exit_code_2(
    variables: dict[str, str], expected: str, tmp_path: Path
) -> None:
    run = sendmart({"SENDMART_DATA": str(tmp_path / "data"), **variables}, "refresh")
    assert run.returncode == 2
    assert len(run.stderr.splitlines()) == 1
    assert expected in run.stderr
    assert not (tmp_path / "data").exists(), "nothing runs before the settings are valid"


def test_an_unknown_report_is_exit_code_2_and_nothing_published_is_1(tmp_path: Path) -> None:
    variables = environment_of(tmp_path / "data", tmp_path / "landing")
    assert sendmart(variables, "export", "nonsense").returncode == 2
    run = sendmart(variables, "export")
    assert (run.returncode, "sendmart refresh" in run.stderr) == (1, True)


def test_one_campaign_is_exported_as_a_spreadsheet_and_an_unknown_one_is_refused(
    refreshed_small: RefreshedWarehouse,
) -> None:
    paths = refreshed_small.warehouse.paths
    campaign = mart_rows(paths.published_marts, "campaign_metrics")[0]["campaign_id"]
    with environment(refreshed_small.environment):
        run = CliRunner().invoke(app, ["export", "skip_reasons", "--campaign", campaign, "--format", "xlsx"])
        (file,) = (paths.exports / "skip_reasons").glob("*.xlsx")
        description = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
        for written in (file, file.with_suffix(".json")):
            written.unlink()
        refused = CliRunner().invoke(app, ["export", "skip_reasons", "--campaign", "+44770\x1b0900123"])
    assert (run.exit_code, run.output) == (0, f"{file}: {description['rows']} rows\n")
    assert (description["campaigns"], file.name) == (
        [campaign],
        f"skip_reasons-{campaign_hash(campaign)}_{file.stem[-16:]}.xlsx",
    )
    assert refused.exit_code == 1
    assert refused.output.startswith("export-refused: the published build knows no campaign")
    assert "docs/runbook/export-refused.md" in refused.output


@pytest.mark.parametrize("command", [["erase", "--contact"], ["explain", "contact"], ["export", "--campaign"]])
def test_an_id_that_is_not_utf_8_is_exit_code_2(command: list[str], tmp_path: Path) -> None:
    with environment(environment_of(tmp_path / "data", tmp_path / "landing")):
        run = CliRunner().invoke(app, [*command, "k\udcff"])
    assert (run.exit_code, "is not UTF-8" in run.output) == (2, True)


@pytest.mark.parametrize("options", [[], ["--port", "3001"]])
def test_dev_starts_dagster_on_the_data_folder_and_the_port(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[list[str], str]] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setattr(
        "os.execve", lambda program, arguments, variables: started.append((arguments, variables["DAGSTER_HOME"]))
    )
    with environment(environment_of(tmp_path / "data", tmp_path / "landing")):
        assert CliRunner().invoke(app, ["dev", *options]).exit_code == 0
    ((program, *arguments), home) = started[0]
    history = tmp_path / "data" / "dagster"
    expected = ["dev", "--workspace", str(history / "workspace.yaml"), *options]
    assert (Path(program).name, arguments, home) == ("dg", expected, str(history))


def test_status_shows_refresh_build_logs_and_checks(refreshed_small: RefreshedWarehouse) -> None:
    run = sendmart(refreshed_small.environment, "status")
    assert run.returncode == 0
    build_id = refreshed_small.warehouse.ledger.last_publication()[0]
    assert f"Published build: {build_id}" in run.stdout
    for text in ("Last refresh: ", ": published", "sends", "receipts", "Quarantined", "Files refused"):
        assert text in run.stdout
    assert f"Audit page: {refreshed_small.warehouse.paths.audits / build_id}.html" in run.stdout
    assert "missing: unsubscribes: 2026-01-06, 2026-01-10 to 2026-01-12" in run.stdout
    assert "warning volumes_" in run.stdout, "so small a landing zone is unusual"


def test_dry_run_changes_nothing(tmp_path: Path) -> None:
    variables = environment_of(tmp_path / "data", CASES / "small" / "landing")
    run = sendmart(variables, "refresh", "--dry-run")
    assert run.returncode == 0
    assert "would load sends/2026-01-05.0.csv" in run.stdout
    assert not (tmp_path / "data" / "lake").exists()


def test_sample_logs_never_mix_with_other_logs(tmp_path: Path) -> None:
    variables = {"SENDMART_DATA": str(tmp_path / "data")}
    run = sendmart(
        variables, "sample", "--sends", "50", "--days", "2", "--until", "2026-01-02", "--to", str(tmp_path / "logs")
    )
    assert run.returncode == 0
    assert list((tmp_path / "logs" / "sends").glob("2026-01-01.*"))
    again = sendmart(variables, "sample", "--to", str(tmp_path / "logs"))
    assert (again.returncode, "--to" in again.stderr) == (2, True)
    set_landing = environment_of(tmp_path / "data", tmp_path / "somebody's")
    assert sendmart(set_landing, "sample", "--first-run").returncode == 0
    assert not (tmp_path / "somebody's").exists()


def test_bad_files_hold_a_build_back_until_they_are_fixed_or_accepted(tmp_path: Path) -> None:
    """One warehouse: published, held back, overridden, rolled back, accepted, fixed, published again."""
    landing, published = tmp_path / "landing", tmp_path / "data" / "published"
    variables = environment_of(tmp_path / "data", landing)
    campaigns = landing / "campaigns"
    campaigns.mkdir(parents=True)
    (campaigns / "2026-01-01.csv").write_text(HEADER + "c1,Spring,SMS,ann,2026-01-01T10:00:00Z\n")
    with environment(variables):
        context = AppContext.of(load_settings())
        refresh_without_dagster(context, checks=True)
        assert stages.evaluate_gate(context).may_publish
    marts = published / "sendmart.duckdb"
    inode = marts.stat().st_ino
    assert {file.parent.name for file in (tmp_path / "data" / "exports").glob("*/*.csv")} == set(REPORTS)

    (campaigns / "2026-01-02.csv").write_text("campaign_id,campaign_name\nc2,Summer\n")
    bad_rows = "".join(f"c{number},Name,TELEX,ann,2026-01-03T10:00:00Z\n" for number in range(20))
    (campaigns / "2026-01-03.csv").write_text(HEADER + bad_rows)
    (landing / "orders").mkdir()
    (landing / "orders" / "2026-01-03.csv").write_text(
        "order_id,contact_id,ordered_at,total,currency,status,updated_at\n"
        "o1,p1,2026-01-03T10:00:00Z,1,EUR,placed,2026-01-03T10:00:00Z\n"
    )
    held_back = sendmart(variables, "refresh")
    assert held_back.returncode == 1
    last_lines = "\n".join(held_back.stdout.splitlines()[-7:])
    assert "HELD BACK" in last_lines
    assert "Not converted: 1 order, no rate EUR→USD" in last_lines
    assert "file-refused: campaigns/2026-01-02.csv: required column missing: campaign_type" in last_lines
    assert "rows-rejected: campaigns of 2026-01-03: 20 of 20 rows" in last_lines
    assert "sendmart accept campaigns/2026-01-02.csv" in last_lines
    assert marts.stat().st_ino == inode, "the published build is untouched"
    assert len(rejected_rows(published / "quarantine.duckdb")) == 20, (
        "the published quarantine is up to date all the same"
    )
    assert "held back" in sendmart(variables, "status").stdout

    refused = sendmart(variables, "publish")
    assert refused.returncode == 1
    assert "file-refused: " in refused.stdout
    assert "rows-rejected: " in refused.stdout
    assert sendmart(variables, "publish", "--override", " ").returncode == 2
    assert sendmart(variables, "publish", "--override", "why", "--dry-run").returncode == 1
    assert marts.stat().st_ino == inode
    both = sendmart(variables, "publish", "--accept", "why", "--override", "why")
    assert (both.returncode, "remove --accept" in both.stderr) == (2, True)
    # The old name of --override.
    overridden = sendmart(variables, "publish", "--accept", "a demonstration without Summer")
    assert overridden.stderr == "--accept is now --override. Release 0.4.0 will not read the old name.\n"
    assert overridden.returncode == 0, overridden.stdout + overridden.stderr
    assert marts.stat().st_ino != inode
    status = sendmart(variables, "status").stdout
    assert "a demonstration without Summer" in status
    assert "rows-rejected: campaigns of 2026-01-03" in status
    first_lines = status.splitlines()[:2]
    assert first_lines[0].endswith(": held back")
    assert first_lines[1] == f"  build {context.ledger.last_publication()[0]} was published afterwards"
    assert [row["override_reason"] for row in mart_rows(marts, "build_info")] == ["a demonstration without Summer"]

    back = sendmart(variables, "rollback")
    assert back.returncode == 0, back.stdout + back.stderr
    assert marts.stat().st_ino == inode, "the same file that was published first"
    withdrawn = sendmart(variables, "publish")
    assert withdrawn.returncode == 1
    assert "build-withdrawn: " in withdrawn.stdout
    assert "rows-rejected: " not in withdrawn.stdout, "the override of this build stays in force"
    planned = sendmart(variables, "refresh", "--dry-run")
    assert (planned.returncode, "would be held back:\n  build-withdrawn: " in planned.stdout) == (0, True)
    assert sendmart(variables, "rollback").returncode == 1, "the first build has no predecessor"

    (campaigns / "2026-01-02.csv").write_text(HEADER + "c2,Summer,MMS,bob,2026-01-02T10:00:00Z\n")
    with environment(variables):
        stages.load_changed(context, Log.CAMPAIGNS)
        stages.build_candidate(context)
        stages.test_candidate(context)
        stages.audit_candidate(context)
    still_held = sendmart(variables, "publish")
    assert still_held.returncode == 1
    assert "rows-rejected: " in still_held.stdout, "the next build is checked again, although the file is unchanged"
    assert "build-withdrawn: " not in still_held.stdout
    accepted = sendmart(variables, "accept", "campaigns/2026-01-03.csv", "--reason", "a test of the sending platform")
    assert accepted.returncode == 0
    fixed = sendmart(variables, "publish")
    assert fixed.returncode == 0, fixed.stdout + fixed.stderr
    assert "since build " in fixed.stdout
    assert {row["campaign_name"] for row in mart_rows(marts, "campaigns")} == {"Spring", "Summer"}

    (campaigns / "2026-01-03.csv").write_text(HEADER + bad_rows + "c99,Odd,TELEX,ann,2026-01-03T10:00:00Z\n")
    with environment(variables):
        stages.load_changed(context, Log.CAMPAIGNS)
        assert "rows-rejected" in {problem.code for problem in stages.evaluate_gate(context).blocking_problems}, (
            "an acceptance holds for that version of the file only"
        )
    (campaigns / "2026-01-03.csv").write_text("")
    emptied = sendmart(variables, "refresh")
    assert emptied.returncode == 0
    assert "since build " in emptied.stdout, "the summary of the publication is printed"
    diff = sendmart(variables, "diff")
    assert diff.returncode == 0, diff.stderr
    assert "Campaigns with changed figures: 0" in diff.stdout
    assert sendmart(variables, "diff", "nonsense").returncode == 2
    assert rejected_rows(published / "quarantine.duckdb") == []


def test_a_failed_check_holds_a_build_back(tmp_path: Path, refreshed_small: RefreshedWarehouse) -> None:
    """The gate decides from the recorded results: one failed blocking check is enough."""
    from models.check_results import CheckResult
    from orchestration import stages
    from tests.running import environment

    warehouse = refreshed_small.warehouse
    candidate = warehouse.ledger.candidate()
    with environment(refreshed_small.environment):
        assert stages.evaluate_gate(warehouse).may_publish
        name = "contract_campaign_metrics"
        warehouse.ledger.record_checks(candidate.build_id, [CheckResult(name, True, False, "one row too many")])
        try:
            (problem,) = stages.evaluate_gate(warehouse).blocking_problems
            assert (problem.code, "one row too many" in str(problem)) == ("check-failed", True)
        finally:
            warehouse.ledger.record_checks(candidate.build_id, [CheckResult(name, True, True)])


def test_the_quarantine_is_listed_and_exported_for_repair(refreshed_small: RefreshedWarehouse, tmp_path: Path) -> None:
    variables = refreshed_small.environment
    bad = [file for file in refreshed_small.warehouse.ledger.files() if file.rejected]
    listed = sendmart(variables, "quarantine", "list")
    assert listed.returncode == 0
    assert all(f"{file.log}/{file.source_file}: {file.rejected} of" in listed.stdout for file in bad)
    log = bad[0].log
    written = sendmart(variables, "quarantine", "export", log, "--to", str(tmp_path))
    assert (written.returncode, written.stderr) == (0, "")
    of_log = [file for file in bad if file.log == log and not file.source_file.endswith(".parquet")]
    assert all((tmp_path / log / file.source_file).exists() for file in of_log)
    inside = sendmart(variables, "quarantine", "export", log, "--to", str(refreshed_small.landing / "x"))
    assert (inside.returncode, "must not be in the landing zone" in inside.stderr) == (2, True)
