"""The audit page: complete, escaped, without mobile numbers and requests; kept as long as its build."""

import re
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser

from models.check_results import BuildMetrics, CheckResult, Rule
from models.marts import BASE_MARTS
from quality.audit.anomalies import ComparedMetric
from quality.audit.contracts import check_contracts
from quality.audit.expectations import check_expectations
from quality.audit.html_report import AuditedBuild, audit_page
from quality.audit.metrics import BuildFacts
from tests.unit.valid_marts import candidate, valid_marts
from warehouse.config.paths import DataPaths
from warehouse.ledger import BUILDS_WITH_METRICS, Build, Ledger
from warehouse.publish import audit_pages
from warehouse.publish.kept_builds import KeptBuilds

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
SCRIPT = "<script>alert(1)</script>"


def audited(*problems: str) -> AuditedBuild:
    return AuditedBuild("20260105T120000Z-abcdef", date(2026, 1, 4), NOON, "1.0", problems)


class Reader(HTMLParser):
    """The tags, attributes and text of a page. Every tag must be closed."""

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


def test_the_page_is_complete_and_escaped_and_sends_no_request():
    hostile = f"update campaign_metrics set campaign_id = '{SCRIPT}', total_delivered = -1 where campaign_id = 'c01'"
    numbered = (
        "update campaign_metrics set campaign_id = '+447700900123', total_delivered = -1 where campaign_id = 'c02'"
    )
    facts = BuildFacts("b", date(2026, 1, 5), NOON)
    with candidate(valid_marts(), hostile, numbered) as connection:
        contracts = check_contracts(connection, BASE_MARTS)
        expectations = check_expectations(connection, BASE_MARTS, facts)
    audit_results = [*contracts, *expectations.results]
    tests = [
        CheckResult("keys_of_campaign_metrics_are_unique", True, True),
        CheckResult("unique_delivery_status", True, False, "3 rows in warehouse/build.duckdb"),
        CheckResult("assert_everything", True, True),
    ]
    tested_models = {
        "keys_of_campaign_metrics_are_unique": "campaign_metrics",
        "unique_delivery_status": "delivery_status",
    }
    page = audit_page(audited(f"check-failed: {SCRIPT}"), tests, audit_results, expectations.compared, tested_models)
    reader = Reader(page)
    assert not reader.tags & {"script", "link", "img", "iframe", "object", "form"}
    assert "script" in "".join(reader.text)
    assert not re.search(r"https?:|url\(|@import|src=", page)
    assert all(name != "src" and not name.startswith("on") for name, _ in reader.attributes)
    assert [value for name, value in reader.attributes if name == "href"] == [
        f"#{mart}" for mart in [*BASE_MARTS, "between-marts-and-before-them"]
    ]
    assert "default-src 'none'" in page
    assert "+447700900123" not in page
    assert "+44…23" in page
    assert all(f'<h2 id="{mart}">' in page for mart in BASE_MARTS)
    assert page.index('id="delivery_status"') < page.rindex("unique_delivery_status") < page.index('id="skip_reasons"')
    assert page.rindex("assert_everything") > page.index('id="between-marts-and-before-them"')
    for result in (*tests, *audit_results):
        assert f"<code>{result.name}</code>" in page
    for rule in (rule for result in audit_results for rule in result.rules):
        assert rule.description in "".join(reader.text)


def test_the_page_shows_the_decision_the_counts_and_the_metrics():
    metric = ComparedMetric(
        "days_behind", "data is fresh", 4.0, None, 2.5, ((date(2026, 1, 3), 1.0), (date(2026, 1, 4), 1.0))
    )
    rule = Rule("sums agree", False, "sums differ", 12_345, 7, ({"campaign_id": "c7"},))
    result = CheckResult("contract_campaign_metrics", True, False, "sums differ", (rule,))
    page = audit_page(audited("check-failed: sums"), [], [result], {"campaign_metrics": [metric]}, {})
    text = " ".join(Reader(page).text)
    assert "The release gate holds this build back" in text
    assert "12,345" in text
    assert "campaign_id c7" in text
    assert "at most 2.5" in text
    assert page.count("<svg") == page.count('class="outside"') == 1
    good = audit_page(audited(), [], [CheckResult("contract_campaigns", True, True)], {}, {})
    assert "lets this build be published" in good
    assert "All 1 checks passed." in good
    assert "FAILED" not in good


def build(number: int) -> Build:
    return Build(f"20260105T1200{number:02}Z-000000", "inputs", date(2026, 1, 4), NOON + timedelta(seconds=number))


def test_pages_are_kept_as_long_as_their_builds(tmp_path):
    paths = DataPaths(tmp_path)
    ledger = Ledger(paths.ledger)
    for number in range(20):
        ledger.record_candidate(build(number), [], {}, None)
        audit_pages.write_page(paths, build(number).build_id, "page")
    ledger.record_publication(build(1).build_id, NOON)
    paths.kept_builds.mkdir(parents=True)
    (paths.kept_builds / f"{build(2).build_id}.duckdb").write_bytes(b"")
    leftover = paths.audits / ".left.html.tmp"
    leftover.write_text("half a page")
    kept_ids = KeptBuilds(paths.kept_builds, ledger).build_ids()
    deleted = audit_pages.prune_pages(paths, kept_ids)
    latest_others = range(19 - audit_pages.OTHER_PAGES_KEPT, 19)
    assert {page.stem for page in paths.audits.iterdir()} == {
        build(number).build_id for number in (1, 2, *latest_others, 19)
    }
    assert len(deleted) == 20 - 3 - audit_pages.OTHER_PAGES_KEPT
    assert audit_pages.prune_pages(paths, kept_ids) == []


def test_metrics_of_published_builds_are_read_in_the_order_of_publication(tmp_path):
    ledger = Ledger(tmp_path / "ledger.sqlite")
    for number in range(3):
        ledger.record_candidate(build(number), [], {}, None)
        ledger.record_metrics(build(number).build_id, {"campaigns": {"campaigns": 9.0}})
        ledger.record_metrics(build(number).build_id, {"campaigns": {"campaigns": float(number)}})
    for number in (2, 0):
        ledger.record_publication(build(number).build_id, NOON)
    assert ledger.published_metrics() == [
        BuildMetrics(build(number).build_id, date(2026, 1, 4), {"campaigns": {"campaigns": float(number)}})
        for number in (2, 0)
    ]


def test_metrics_of_old_builds_are_deleted(tmp_path, monkeypatch):
    assert BUILDS_WITH_METRICS >= 400
    monkeypatch.setattr("warehouse.ledger.builds.BUILDS_WITH_METRICS", 2)
    ledger = Ledger(tmp_path / "ledger.sqlite")
    for number in range(4):
        ledger.record_candidate(build(number), [], {}, None)
        ledger.record_metrics(build(number).build_id, {"campaigns": {"campaigns": 1.0}})
        ledger.record_publication(build(number).build_id, NOON)
    assert [published.build_id for published in ledger.published_metrics()] == [build(2).build_id, build(3).build_id]
