"""What commands say about a landing zone that is missing, empty, or holds files that are not named like log files."""

from datetime import timedelta
from pathlib import Path

import pytest

from models.enums import Log
from orchestration.stages import AppContext, load_changed
from tests.running import environment, environment_of, sendmart
from warehouse.config.settings import load_settings
from warehouse.landing.completeness import last_due_date
from warehouse.ledger import now


class DataFolder:
    """A landing zone and a data folder in which nothing was loaded yet."""

    def __init__(self, folder: Path) -> None:
        self.landing, self.data = folder / "landing", folder / "data"
        self.variables = environment_of(self.data, self.landing)

    def run(self, *arguments: str) -> tuple[int, str]:
        """The exit code and all that was printed."""
        run = sendmart(self.variables, *arguments)
        return run.returncode, run.stdout + run.stderr

    def drop(self, name: str, content: str = "") -> None:
        path = self.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")

    def load(self, log: Log) -> AppContext:
        with environment(self.variables):
            context = AppContext.of(load_settings())
            load_changed(context, log)
            return context


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path)


@pytest.mark.parametrize("command", [["refresh"], ["refresh", "--dry-run"]])
def test_a_landing_zone_that_does_not_exist_is_exit_code_1(folder: DataFolder, command: list[str]) -> None:
    exit_code, output = folder.run(*command)
    assert exit_code == 1
    assert f"landing-zone-missing: {folder.landing} does not exist" in output
    assert "See docs/runbook/landing-zone-missing.md" in output
    assert "Traceback" not in output
    assert f"no landing zone: {folder.landing} does not exist" in folder.run("status")[1]


def test_a_landing_zone_that_is_empty_where_files_were_is_exit_code_1(folder: DataFolder) -> None:
    folder.drop("unsubscribes/2026-01-05.csv", "contact_id,unsubscribed_at\nk1,2026-01-05T08:00\n")
    context = folder.load(Log.UNSUBSCRIBES)
    (folder.landing / "unsubscribes" / "2026-01-05.csv").unlink()
    with environment(folder.variables):
        assert context.open_landing().files == (), "a tidied landing zone has the folders of its logs"
    (folder.landing / "unsubscribes").rmdir()
    folder.drop(".keep")
    exit_code, output = folder.run("refresh")
    assert exit_code == 1
    assert f"landing-zone-missing: {folder.landing} is empty, and log files were loaded from it before" in output
    assert [file.accepted for file in context.ledger.files()] == [1], "the rows stay"
    # A ledger that is lost beside its lake knows of no file.
    context.paths.ledger.unlink()
    assert "landing-zone-missing: " in folder.run("refresh", "--new-ledger")[1]


@pytest.mark.parametrize("file", [None, "clicks/20261121.jsonl"])
def test_a_first_refresh_without_log_files_publishes_nothing(folder: DataFolder, file: str | None) -> None:
    folder.landing.mkdir()
    if file:
        folder.drop(file, "{}")
    for options in ([], ["--full-refresh"]):
        exit_code, output = folder.run("refresh", *options)
        assert exit_code == 0, output
        assert "Nothing is published: there is no log file" in output
        assert ("seems to be clicks of 2026-11-21; rename it to clicks/2026-11-21.jsonl" in output) == bool(file)
    assert not (folder.data / "published" / "sendmart.duckdb").exists()
    assert "Published build: none yet" in folder.run("status")[1]


def test_dagster_publishes_nothing_either(tmp_path: Path) -> None:
    (tmp_path / "landing").mkdir()
    with environment(environment_of(tmp_path / "data", tmp_path / "landing")):
        from orchestration.run_refresh import run_refresh
        from orchestration.stages import RefreshPlan

        context = AppContext.of(load_settings())
        # As the schedule starts it, without a plan.
        outcome = run_refresh(context, RefreshPlan(must_publish=True))
    assert (outcome.outcome, outcome.message) == ("nothing new", "")
    assert not context.paths.published_marts.exists()


def test_ignored_files_and_log_days_that_they_seem_to_be_of_are_in_status(folder: DataFolder) -> None:
    due = last_due_date(now(), 3)
    for days in (2, 0):
        folder.drop(f"clicks/{due - timedelta(days=days)}.csv")
    missing = due - timedelta(days=1)
    for name in (f"clicks/{missing:%Y%m%d}.jsonl", "deliveries/2026-01-05.csv", *(f"notes {n}" for n in range(60))):
        folder.drop(name)
    lines = folder.run("status")[1].splitlines()
    rename = f"rename it to clicks/{missing}.jsonl"
    assert f"ignored: clicks/{missing:%Y%m%d}.jsonl: seems to be clicks of {missing}; {rename}" in lines
    of_no_log = "deliveries is the folder of neither a log nor a source (sendmart sources list)"
    assert f"ignored: deliveries/2026-01-05.csv: {of_no_log}" in lines
    assert "… and 12 more ignored files" in lines
    position = lines.index(f"missing: clicks: {missing}")
    assert lines[position + 1] == (
        f"  clicks of {missing}: clicks/{missing:%Y%m%d}.jsonl is ignored and seems to be of this day; {rename}"
    )


def test_status_says_what_became_of_the_records_of_each_log_day(folder: DataFolder) -> None:
    header = "click_id,campaign_id,contact_id,clicked_at\n"
    good, bad = "{},c1,k{},2026-01-05T08:00\n".format, "{},c1,k1,yesterday\n".format
    folder.drop("clicks/2026-01-05.csv", header + good("a", 1) + good("a", 2) + bad("b"))
    folder.drop("clicks/2026-01-05.1.csv", header + "".join(bad(n) for n in range(3)) + good("c", 1))
    folder.drop("clicks/2026-01-06.csv", "no,header\n")
    for day in range(7, 20):
        folder.drop(f"clicks/2026-01-{day:02}.csv", header + good(f"d{day}", 1))
    folder.load(Log.CLICKS)
    output = folder.run("status", "--days", "100")[1]
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in output.splitlines() if "│" in line]
    assert ["2026-01-05", "clicks", "2", "7", "3", "4", "0", "2"] in cells
    assert ["2026-01-06", "clicks", "1 (1 refused)", "0", "0", "0", "0", "0"] in cells
    assert "not listed" not in output
    latest = folder.run("status")[1]
    assert "2026-01-13 " in latest and "2026-01-12 " not in latest
    assert "8 earlier log dates not listed: sendmart status --days 15" in latest
    # By the share of rows that they lost, and not by the number of rows.
    worst, other = (line for line in latest.splitlines() if line.startswith("quarantine: "))
    assert worst == "quarantine: clicks/2026-01-05.1.csv: 3 of 4 rows (75 %)"
    assert other == "quarantine: clicks/2026-01-05.csv: 1 of 3 rows (33.3 %)"
    assert (
        "key conflicts: clicks/2026-01-05.csv: 2 of 2 accepted rows (100 %) have the click_id of rows with another"
        " contact_id" in latest
    )


def test_key_conflicts_hold_a_build_back_until_they_are_accepted(tmp_path: Path) -> None:
    """The refresh ends with the ignored files, too."""
    folder = DataFolder(tmp_path)
    header = "order_id,contact_id,ordered_at,total,currency,status,updated_at\n"
    rows = "".join(f"o{n},k{{}}{n},2026-01-05T08:00,1,USD,placed,2026-01-05T08:00\n" for n in range(12))
    folder.drop("orders/2026-01-05.csv", header + rows.format(*["a"] * 12))
    folder.drop("orders/2026-01-06.csv", header + rows.format(*["b"] * 12))
    folder.drop("orders/20260107.csv", header)
    exit_code, output = folder.run("refresh")
    assert exit_code == 1
    *_, summary, first, second, ignored, _, _ = output.splitlines()
    assert summary.startswith("HELD BACK")
    for day, line in ((5, first), (6, second)):
        rows = f"orders of 2026-01-0{day}: 12 of 12 accepted rows have the order_id of rows with another contact_id"
        assert line.startswith(f"  key-conflicts: {rows} (orders/2026-01-0{day}.csv). See key_conflicts in")
    assert ignored == (
        "ignored: orders/20260107.csv: seems to be orders of 2026-01-07; rename it to orders/2026-01-07.csv"
    )
    for day in (5, 6):
        assert folder.run("accept", f"orders/2026-01-0{day}.csv", "--reason", "one person each")[0] == 0
    exit_code, output = folder.run("publish")
    assert exit_code == 0, output
    exit_code, output = folder.run("refresh")
    assert exit_code == 0, output
    assert "key conflicts (accepted): orders/2026-01-05.csv: 12 of 12 accepted rows" in output
    assert ignored in output.splitlines()[-12:]
