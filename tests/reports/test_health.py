"""The health endpoint says which build the pages show, to anybody who reaches the address."""

from pathlib import Path

import duckdb

from models.marts import columns, qualified
from orchestration.stages import AppContext
from tests.reports.conftest import serving
from warehouse.config.settings import Settings


def _publish(context: AppContext, build_id: str) -> None:
    """A published file with nothing but this build's information, renamed over the one before."""
    assert context.ledger.last_publication() is None  # creates the ledger, which published files need
    file = context.paths.published_marts
    file.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(file.with_suffix(".new")) as connection:
        connection.execute("create schema marts")
        columns_sql = ", ".join(f"{column.name} {column.sql_type}" for column in columns("build_info"))
        connection.execute(f"create table {qualified('build_info')} ({columns_sql})")
        row = "(build_id, published_at, data_until) values (?, '2026-01-14 03:31:40.25', '2026-01-13')"
        connection.execute(f"insert into {qualified('build_info')} {row}", [build_id])
    file.with_suffix(".new").rename(file)


def test_health_follows_the_published_build(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, landing=tmp_path / "landing", reports_token="a-token-of-this-test")
    context = AppContext.of(settings)
    with serving(context) as site:
        response = site.get("/health")
        assert (response.status_code, response.json()) == (503, {"status": "nothing published"})
        for build_id in ("b1", "b2"):
            _publish(context, build_id)
            response = site.get("/health")
            assert response.status_code == 200
            assert response.json() == {
                "status": "ok",
                "build_id": build_id,
                "published_at": "2026-01-14T03:31:40Z",
                "data_until": "2026-01-13",
            }
            assert response.headers["Cache-Control"] == "no-store"
        assert site.client.head("/health").status_code == 200
        assert site.get("/health", headers={"Host": "elsewhere.example.com"}).status_code == 400
        assert [site.get(path).status_code for path in ("/", "/health/", "/healthy", "//health")] == [401] * 4
        context.paths.published_marts.write_bytes(b"no database")
        response = site.get("/health")
        assert (response.status_code, response.json()) == (503, {"status": "unreadable"})
