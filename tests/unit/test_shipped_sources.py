"""The shipped sources: `sendmart sources test` on the fixture of each, and the rows that it gives."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestration.cli.main import app
from warehouse.ingest.sources import load_sources

FIXTURES = Path(__file__).parents[1] / "sources"
EXPECTED = json.loads((FIXTURES / "expected.json").read_text(encoding="utf-8"))


def test_every_shipped_source_has_a_fixture():
    assert list(load_sources()) == list(EXPECTED)


def test_the_folder_of_a_shipped_source_has_its_name():
    # A scan reads the shipped mappings whose names stand in the landing zone.
    assert [source.mapping.folder for source in load_sources().values()] == list(load_sources())


@pytest.mark.parametrize("name", EXPECTED)
def test_the_fixture_gives_the_expected_rows(name, monkeypatch):
    monkeypatch.delenv("SENDMART_SOURCES", raising=False)
    monkeypatch.setattr("models.masking._NUMBER", re.compile("(?!)"))  # to compare numbers, too
    (file,) = [file for file in (FIXTURES / "landing" / name).rglob("*") if file.is_file()]
    tested = CliRunner().invoke(app, ["sources", "test", name, str(file), "--rows", "99", "--json"])
    assert tested.exit_code == 0, tested.output
    trials = {trial["log"]: trial for trial in json.loads(tested.output)}
    assert {
        log: {
            "not_selected": trial["not_selected"],
            "rows": [{"row_number": row["row_number"], **row["values"]} for row in trial["rows"]],
        }
        for log, trial in trials.items()
    } == EXPECTED[name]
    for trial in trials.values():
        assert trial["accepted"] + trial["rejected"] + trial["not_selected"] == trial["records"]
