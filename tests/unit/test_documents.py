"""What is written about the project is what the project does: dictionary, settings, column lists."""

import re

from models.data_dictionary import data_dictionary
from models.error_codes import Code
from models.marts import columns
from warehouse.config.env_example import settings_example
from warehouse.config.settings import PREFIX, PROJECT, Settings
from warehouse.export import CAMPAIGN_REPORT_COLUMNS

SETTINGS_PAGE = (PROJECT / "docs" / "settings.md").read_text(encoding="utf-8")


def test_the_data_dictionary_is_that_of_the_contracts() -> None:
    assert (PROJECT / "docs" / "data-dictionary.md").read_text(encoding="utf-8") == data_dictionary(), "run: make docs"


def test_the_settings_page_lists_every_setting_with_its_default() -> None:
    listed = dict(re.findall(rf"^\| `({PREFIX}[A-Z_]+)` \| (.+?) \|", SETTINGS_PAGE, flags=re.MULTILINE))
    fields = Settings.model_fields
    assert listed.keys() == {PREFIX + name.upper() for name in fields}
    for name, field in fields.items():
        if field.default_factory is None and field.default is not None:
            default = str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
            assert listed[PREFIX + name.upper()] == f"`{default}`"


def test_the_example_of_settings_is_that_of_the_settings() -> None:
    assert (PROJECT / ".env.example").read_text(encoding="utf-8") == settings_example() + "\n", "run: make docs"


def test_links_in_the_documents_lead_to_files_and_headings_that_exist() -> None:
    for document in [*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md"), *PROJECT.glob("*/README.md")]:
        for link in re.findall(r"\]\(([^):]+)\)", document.read_text(encoding="utf-8")):
            path, _, heading = link.partition("#")
            target = document.parent / path if path else document
            assert target.exists(), f"{document.name}: {link}"
            if heading:
                assert heading in _anchors(target.read_text(encoding="utf-8")), f"{document.name}: {link}"


def test_paths_in_the_guides_exist() -> None:
    for guide in ("README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/glossary.md", "docs/upgrading.md"):
        for path in re.findall(r"`([a-z_.]+/[\w./-]+)`", (PROJECT / guide).read_text(encoding="utf-8")):
            if not path.startswith((".venv/", "data/", "published/")):
                assert (PROJECT / path).exists(), f"{guide}: {path}"


def _anchors(text: str) -> set[str]:
    """The anchors that a Markdown viewer makes of the headings."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", prose, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_campaign_report_shows_every_column_once_under_a_label() -> None:
    labels = {column.name: column.label for column in columns("campaign_metrics")}
    assert sorted(CAMPAIGN_REPORT_COLUMNS) == sorted(labels)
    assert None not in labels.values()


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
