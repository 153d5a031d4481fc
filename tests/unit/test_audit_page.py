"""The audit's page: whole, escaped, without numbers, calling nobody; and kept as long as its build."""

import re
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser

from models.build_metrics import BuildFigures
from models.check_results import CheckResult, Rule
from models.marts import DBT_MARTS
from quality.audit.anomalies import Compared
from quality.audit.expectations import check_expectations
from quality.audit.html_report import AuditedBuild, audit_page
from quality.audit.metrics import BuildFacts
from tests.unit.valid_marts import SCHEMA, candidate, valid_marts
from warehouse.config.paths import DataPaths
from warehouse.ledger import BUILDS_WITH_FIGURES, Build, Ledger
from warehouse.publish import audit_pages

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
SCRIPT = "<script>alert(1)</script>"


def audited(*problems: str) -> AuditedBuild:
    return AuditedBuild("20260105T120000Z-abcdef", date(2026, 1, 4), NOON, "1.0", problems)


class Reader(HTMLParser):
    """The tags and attributes of a page, each of which must be closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags, self.attributes, self.text, self._open = set(), [], [], []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in ("meta", "br"):
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_of_an_audit_is_whole_escaped_and_calls_nobody():
    hostile = f"update campaign_metrics set campaign_id = '{SCRIPT}', total_sent = 6 where campaign_id = 'c01'"
    numbered = "update campaign_metrics set campaign_id = '+447700900123', total_sent = 6 where campaign_id = 'c02'"
    facts = BuildFacts("b", date(2026, 1, 5), NOON)
    with candidate(valid_marts(), hostile, numbered) as connection:
        found = check_expectations(connection, SCHEMA, facts)
    tests = [
        CheckResult("not_null_campaign_metrics_campaign_id", True, True),
        CheckResult("unique_delivery_status", True, False, "3 rows, to be seen in warehouse/build.duckdb"),
        CheckResult("assert_everything", True, True),
    ]
    page = audit_page(audited(f"check-failed: {SCRIPT}"), tests, found.results, found.compared)
    reader = Reader(page)
    assert not reader.tags & {"script", "link", "img", "iframe", "object", "form"}
    assert "script" in "".join(reader.text)
    assert not re.search(r"https?:|url\(|@import|src=", page)
    assert all(name != "src" and not name.startswith("on") for name, _ in reader.attributes)
    assert [value for name, value in reader.attributes if name == "href"] == [
        f"#{mart}" for mart in [*DBT_MARTS, "models-before-the-marts"]
    ]
    assert "default-src 'none'" in page
    assert "+447700900123" not in page
    assert "+44…23" in page
    assert all(f'<h2 id="{mart}">' in page for mart in DBT_MARTS)
    for result in (*tests, *found.results):
        assert f"<code>{result.name}</code>" in page
    for rule in (rule for result in found.results for rule in result.rules):
        assert rule.says in "".join(reader.text)


def test_the_page_tells_the_verdict_the_counts_and_the_figures():
    figure = Compared(
        "days_behind", "data is fresh", 4.0, None, 2.5, ((date(2026, 1, 3), 1.0), (date(2026, 1, 4), 1.0))
    )
    rule = Rule("sums agree", False, "not so", 12_345, 7, ({"campaign_id": "c7"},))
    result = CheckResult("invariants_campaign_metrics", True, False, "not so", (rule,))
    page = audit_page(audited("check-failed: sums"), [], [result], {"campaign_metrics": [figure]})
    text = " ".join(Reader(page).text)
    assert "The release gate holds this build back" in text
    assert "12,345" in text
    assert "campaign_id c7" in text
    assert "at most 2.5" in text
    assert page.count("<svg") == page.count('class="out"') == 1
    good = audit_page(audited(), [], [CheckResult("invariants_campaigns", True, True)], {})
    assert "lets this build be published" in good
    assert "All 1 checks hold." in good
    assert "FAILED" not in good


def build(number: int) -> Build:
    return Build(f"20260105T1200{number:02}Z-000000", "inputs", date(2026, 1, 4), NOON + timedelta(seconds=number))


def test_pages_are_kept_as_long_as_their_builds(tmp_path):
    paths = DataPaths(tmp_path)
    ledger = Ledger(paths.ledger)
    for number in range(20):
        ledger.record_candidate(build(number), [], {}, None)
        audit_pages.write(paths, build(number).build_id, "page")
    ledger.record_publication(build(1).build_id, NOON)
    kept = paths.published_marts.parent / "builds"
    kept.mkdir()
    (kept / f"{build(2).build_id}.duckdb").write_bytes(b"")
    leftover = paths.audits / ".left.html.tmp"
    leftover.write_text("half a page")
    gone = audit_pages.prune(paths, ledger)
    latest_others = range(19 - audit_pages.HELD_BACK_KEPT, 19)
    assert {page.stem for page in paths.audits.iterdir()} == {
        build(number).build_id for number in (1, 2, *latest_others, 19)
    }
    assert len(gone) == 20 - 3 - audit_pages.HELD_BACK_KEPT
    assert audit_pages.prune(paths, ledger) == []


def test_figures_are_kept_with_builds_and_told_of_published_ones_in_their_order(tmp_path):
    ledger = Ledger(tmp_path / "ledger.sqlite")
    for number in range(3):
        ledger.record_candidate(build(number), [], {}, None)
        ledger.record_metrics(build(number).build_id, {"campaigns": {"campaigns": 9.0}})
        ledger.record_metrics(build(number).build_id, {"campaigns": {"campaigns": float(number)}})
    for number in (2, 0):
        ledger.record_publication(build(number).build_id, NOON)
    assert ledger.published_metrics() == [
        BuildFigures(build(number).build_id, date(2026, 1, 4), {"campaigns": {"campaigns": float(number)}})
        for number in (2, 0)
    ]


def test_figures_of_builds_long_past_go(tmp_path, monkeypatch):
    assert BUILDS_WITH_FIGURES >= 400
    monkeypatch.setattr("warehouse.ledger.builds.BUILDS_WITH_FIGURES", 2)
    ledger = Ledger(tmp_path / "ledger.sqlite")
    for number in range(4):
        ledger.record_candidate(build(number), [], {}, None)
        ledger.record_metrics(build(number).build_id, {"campaigns": {"campaigns": 1.0}})
        ledger.record_publication(build(number).build_id, NOON)
    assert [of.build_id for of in ledger.published_metrics()] == [build(2).build_id, build(3).build_id]
