"""`/metrics` says what the ledger and the published build say."""

import re
from pathlib import Path

from orchestration.stages import AppContext
from tests.reports.conftest import Site, serving
from tests.running import RefreshedWarehouse, copy_of
from warehouse.config.settings import PROJECT, Settings
from warehouse.ledger import Refresh, now


def _values(site: Site) -> dict[str, float]:
    response = site.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=")
    lines = [line for line in response.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_the_metrics_are_those_of_ledger_and_published_build(
    refreshed_small: RefreshedWarehouse, tmp_path: Path
) -> None:
    context = copy_of(refreshed_small, tmp_path).warehouse
    context.ledger.record_run(Refresh(now(), now(), "published", ""))
    with serving(context) as site:
        values = _values(site)
        success = context.ledger.last_good_refresh()
        assert values["sendmart_last_success_timestamp_seconds"] == success.finished_at.timestamp()
        assert values['sendmart_last_refresh_outcome{outcome="published"}'] == 1
        assert values["sendmart_held_back"] == 0
        ((rejected,),) = site.rows("select count(*) from marts.build_info where data_until is null")
        assert rejected == 0
        ((until,),) = site.rows("select epoch(data_until::timestamp) from marts.build_info")
        assert values["sendmart_data_until_timestamp_seconds"] == until
        files = [file for file in context.ledger.files() if file.log == "receipts"]
        accepted, refused_rows = sum(file.accepted for file in files), sum(file.rejected for file in files)
        assert values['sendmart_accepted_rows{log="receipts"}'] == accepted
        assert values['sendmart_rejected_rows{log="receipts"}'] == refused_rows
        assert values['sendmart_rejected_share{log="receipts"}'] == refused_rows / (accepted + refused_rows)
        context.ledger.record_run(Refresh(now(), now(), "held back", "why"))
        values = _values(site)
        assert values["sendmart_held_back"] == 1
        assert values['sendmart_last_refresh_outcome{outcome="held back"}'] == 1
        assert values["sendmart_last_success_timestamp_seconds"] == success.finished_at.timestamp()
        documented = set(
            re.findall(r"`(sendmart_\w+)", (PROJECT / "docs" / "monitoring.md").read_text(encoding="utf-8"))
        )
        assert documented == {name.partition("{")[0] for name in values}


def test_without_a_ledger_only_the_published_build_counts(refreshed_small: RefreshedWarehouse, tmp_path: Path) -> None:
    context = copy_of(refreshed_small, tmp_path).warehouse
    with serving(context) as site:
        context.paths.ledger.unlink()
        assert set(_values(site)) == {"sendmart_published_timestamp_seconds", "sendmart_data_until_timestamp_seconds"}
        context.paths.published_marts.unlink()
        context.paths.ledger.write_bytes(b"no database")
        assert _values(site) == {}


def test_the_metrics_need_the_token(tmp_path: Path) -> None:
    context = AppContext.of(Settings(data=tmp_path, landing=tmp_path / "landing", reports_token="a-token-of-this-test"))
    with serving(context) as site:
        assert site.get("/metrics").status_code == 401
        assert site.get("/metrics", headers={"Authorization": "Bearer a-token-of-this-test"}).status_code == 200
