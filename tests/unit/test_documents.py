"""Generated pages are up to date, links work, and every code of the runbook has a page."""

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
import yaml

from models.error_codes import Code
from models.marts import columns
from orchestration.cli.main import COMMANDS
from scripts.cli_reference import cli_page
from scripts.data_dictionary import data_dictionary
from scripts.json_schemas import FOLDER as SCHEMAS
from scripts.json_schemas import schemas
from scripts.settings_docs import SECTIONS, env_example, settings_page
from warehouse.config.settings import PREFIX, PROJECT, RENAMED_SETTINGS, Settings
from warehouse.export import CAMPAIGN_REPORT_COLUMNS
from warehouse.ingest.sources.catalogue import SHIPPED

SUFFIXES = (".py", ".sql", ".yml", ".yaml", ".csv", ".md", ".sh")
"""Of files that documents name by their path in the project."""


def test_the_data_dictionary_is_that_of_the_contracts() -> None:
    assert (PROJECT / "docs" / "data-dictionary.md").read_text(encoding="utf-8") == data_dictionary(), "run: make docs"


@pytest.mark.parametrize(
    ("page", "generate"),
    [(".env.example", env_example), ("docs/settings.md", settings_page), ("docs/cli.md", cli_page)],
)
def test_the_generated_pages_are_up_to_date(page: str, generate: Callable[[], str]) -> None:
    assert (PROJECT / page).read_text(encoding="utf-8") == generate(), "run: make docs"


def test_the_pages_list_every_setting_and_every_command() -> None:
    settings = re.findall(rf"^\| `({PREFIX}[A-Z_]+)` \| ", settings_page(), flags=re.MULTILINE)
    assert settings == [PREFIX + name.upper() for name in Settings.model_fields] + list(RENAMED_SETTINGS)
    assert set(SECTIONS) <= set(Settings.model_fields)
    commands = [name for name in COMMANDS if name not in ("quarantine", "sources")]
    sections = re.findall(r"^## sendmart (.+)$", cli_page(), flags=re.MULTILINE)
    groups = ["quarantine list", "quarantine export", "sources list", "sources show", "sources test"]
    assert sections == [*commands, *groups]


def test_the_json_schemas_are_those_of_the_contracts() -> None:
    assert {file: file.read_text(encoding="utf-8") for file in SCHEMAS.glob("*.json")} == schemas(), "run: make docs"


def test_the_json_schemas_accept_records_of_the_logs_and_the_shipped_mappings() -> None:
    order = {
        "order_id": "o1", "contact_id": 7, "ordered_at": "2026-01-05T10:00:00Z", "total": "1e1", "refunded_amount": None,
        "currency": "usd", "status": "placed", "updated_at": "2026-01-05 10:00 +0100", "more": True,
    }  # fmt: skip
    schema = json.loads((SCHEMAS / "orders.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(order, schema)
    for wrong in ({**order, "status": "paid"}, {**order, "total": "1,5"}, {"order_id": "o1"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)
    schema = json.loads((SCHEMAS / "mapping.schema.json").read_text(encoding="utf-8"))
    for mapping in SHIPPED.glob("*.yml"):
        jsonschema.validate(yaml.safe_load(mapping.read_text(encoding="utf-8")), schema)


def test_every_command_states_its_exit_codes() -> None:
    assert len(re.findall(r"^Exit code", cli_page(), flags=re.MULTILINE)) == len(re.findall(r"^## ", cli_page(), re.M))


def _documents() -> list[Path]:
    return [*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md"), *PROJECT.glob("*/README.md")]


def test_links_in_the_documents_lead_to_files_and_headings_that_exist() -> None:
    for document in _documents():
        for link in re.findall(r"\]\(([^):]+)\)", document.read_text(encoding="utf-8")):
            path, _, heading = link.partition("#")
            target = document.parent / path if path else document
            assert target.exists(), f"{document.name}: {link}"
            if heading:
                assert heading in _anchors(target.read_text(encoding="utf-8")), f"{document.name}: {link}"


def test_paths_in_the_documents_exist() -> None:
    for document in _documents():
        for path in re.findall(r"`([a-z_.]+/[\w./-]+)`", document.read_text(encoding="utf-8")):
            is_of_project = (PROJECT / path.partition("/")[0]).is_dir() and not path.startswith((".venv/", "data/"))
            if is_of_project and (path.endswith("/") or Path(path).suffix in SUFFIXES):
                assert (PROJECT / path).exists(), f"{document.name}: {path}"


def test_the_architecture_lists_the_packages_of_the_warehouse_in_the_order_of_the_import_rule() -> None:
    page = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")
    tree = page.partition("\nwarehouse/ ")[2].partition("\nmodels/ ")[0]
    rules = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    (layers,) = [rule["layers"] for rule in rules if rule.get("containers") == ["warehouse"]]
    assert re.findall(r"^  (\w+)(?:/|\.py) ", tree, flags=re.MULTILINE) == layers


def _anchors(text: str) -> set[str]:
    """The anchors that a Markdown viewer makes of the headings."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", prose, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_campaign_report_shows_every_column_once() -> None:
    names = [column.name for column in columns("campaign_metrics")]
    file = "CAMPAIGN_REPORT_COLUMNS in warehouse/export/report_sql.py"
    assert sorted(CAMPAIGN_REPORT_COLUMNS) == sorted(names), f"{file} must have every column of campaign_metrics once"


def test_every_code_of_the_runbook_has_a_page_and_a_row_in_the_index_and_every_page_a_code() -> None:
    runbook = PROJECT / "docs" / "runbook"
    assert {f"docs/runbook/{page.name}" for page in runbook.glob("*.md")} == {
        "docs/runbook/README.md",
        *(code.page for code in Code),
    }
    index = (runbook / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[`(.+)`\]\((.+)\) \| (.+) \|$", index, flags=re.MULTILINE)
    assert listed == [(code, f"{code}.md", code.meaning) for code in Code]
    for code in Code:
        page = (PROJECT / code.page).read_text(encoding="utf-8")
        assert page.startswith(f"# {code}\n")
        assert "\n## What to do\n" in page
