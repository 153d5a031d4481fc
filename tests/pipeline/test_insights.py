"""The insights as published tables: turned off and on, commented, with masked numbers, without an erased contact.

Not here: their figures (`tests/pipeline/test_cases.py`, `tests/property`).
"""

from pathlib import Path
from typing import Any

import duckdb
import pytest

from models.enums import BotClicks
from models.insights import INSIGHTS
from models.marts import BASE_MARTS, DBT_MARTS, columns, description
from orchestration import stages
from orchestration.stages import AppContext
from tests.contact_search import copy_warehouse, files_with_contact
from tests.running import RefreshedWarehouse, copy_of, environment, mart_rows, refresh_without_dagster
from warehouse.config import DataPaths, Settings
from warehouse.explain.explainer import attach_published
from warehouse.explain.id_build import IdBuild


def tables(file: Path) -> dict[str, list[str]]:
    """The rows of every mart in a published file, sorted."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{file}' as published (read_only)")
        names = connection.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'published' and table_name in"
            " (select unnest($marts))",
            {"marts": list(DBT_MARTS)},
        ).fetchall()
        return {
            table: sorted(map(repr, connection.execute(f'from published.{schema}."{table}"').fetchall()))
            for schema, table in names
        }


def test_insights_can_be_turned_off_and_on_again(refreshed_insights: RefreshedWarehouse, tmp_path: Path) -> None:
    before = tables(refreshed_insights.warehouse.paths.published_marts)
    assert before.keys() == DBT_MARTS.keys()
    copy = copy_of(refreshed_insights, tmp_path, max_rejected_share="1", insights="false")
    published = copy.warehouse.paths.published_marts
    with environment(copy.environment):
        refresh_without_dagster(copy.warehouse)
        assert tables(published) == {mart: before[mart] for mart in BASE_MARTS}
        without_bots = copy.warehouse.settings.model_copy(update={"insights": True, "bot_clicks": BotClicks.EXCLUDE})
        refresh_without_dagster(AppContext.of(without_bots))
        assert tables(published)["click_quality"] == before["click_quality"]
        assert tables(published)["campaign_metrics"] != before["campaign_metrics"]
        _explanations_equal_the_published_marts(without_bots, copy.warehouse.paths)
        refresh_without_dagster(AppContext.of(copy.warehouse.settings.model_copy(update={"insights": True})))
        assert tables(published) == before


def _explanations_equal_the_published_marts(settings: Settings, paths: DataPaths) -> None:
    """Of all orders and campaigns, without the clicks of bots."""
    with duckdb.connect() as connection:
        attach_published(connection, paths)
        builds = IdBuild(connection, settings, paths)
        for kind, ids, mart in (
            ("order", "select distinct order_id from lake_orders", "attributed_orders"),
            ("campaign", "select distinct campaign_id from lake_sends", "campaign_metrics"),
        ):
            builds.build(kind, ids)
            computed, published = f"from candidate.marts.{mart}", f"from published.marts.{mart}"
            if mart == "attributed_orders":
                columns_of_both = "order_id, campaign_id, attribution, clicked_at, click_id, revenue"
                computed = f"select {columns_of_both} from credited_clicks"
                published = f"select {columns_of_both} from published.marts.attributed_orders"
            apart = f"(({computed}) except all ({published})) union all (({published}) except all ({computed}))"
            assert connection.execute(apart).fetchall() == [], kind


@pytest.fixture(scope="module")
def masked(refreshed_insights: RefreshedWarehouse, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same build, published with masked numbers."""
    folder = tmp_path_factory.mktemp("masked")
    settings = {"max_rejected_share": "1", "insights": "true", "mask_phone_numbers": "true"}
    copy = copy_of(refreshed_insights, folder, **settings)
    with environment(copy.environment):
        stages.publish_candidate(copy.warehouse, copy.warehouse.ledger.candidate())
    return copy.warehouse.paths.published_marts


@pytest.mark.parametrize("is_masked", [False, True], ids=["whole numbers", "masked numbers"])
def test_tables_have_the_comments_constraints_and_keys_of_their_contracts(
    is_masked: bool, refreshed_insights: RefreshedWarehouse, masked: Path
) -> None:
    file = masked if is_masked else refreshed_insights.warehouse.paths.published_marts
    with duckdb.connect(str(file), read_only=True) as connection:
        for name, insight in INSIGHTS.items():
            comment = "select comment from duckdb_tables() where (schema_name, table_name) = ('insights', ?)"
            assert connection.execute(comment, [name]).fetchall() == [(description(name),)]
            of_columns = (
                "select column_name, lower(data_type), is_nullable, comment from duckdb_columns()"
                " where (schema_name, table_name) = ('insights', ?) order by column_index"
            )
            assert connection.execute(of_columns, [name]).fetchall() == [
                (column.name, column.sql_type, column.nullable, column.description) for column in columns(name)
            ]
            key = ", ".join(insight.key)
            rows = connection.execute(f"select count(*), count(distinct ({key})) from insights.{name}").fetchall()
            assert rows[0][0] == rows[0][1] > 0, name


def test_erasure_replaces_a_contact_in_the_insights_and_keeps_their_figures(
    refreshed_insights: RefreshedWarehouse, tmp_path: Path
) -> None:
    published = refreshed_insights.warehouse.paths.published_marts
    with_contact = [name for name in INSIGHTS if "contact_id" in {column.name for column in columns(name)}]
    assert set(with_contact) == {"click_quality", "sent_after_opt_out"}
    contact = min(
        set.intersection(*({row["contact_id"] for row in mart_rows(published, name)} for name in with_contact))
    )
    (number, *_) = {
        row["mobile_number"] for row in mart_rows(published, "delivery_status") if row["contact_id"] == contact
    }
    copy = copy_warehouse(refreshed_insights, tmp_path)
    for name in with_contact:
        stages.export_reports(copy, [name])
    assert stages.erase_contact(copy, contact, "request 11") is not None
    assert files_with_contact(copy.paths.data, contact, number) == set()
    token = next(erased.token for erased in copy.ledger.erased() if erased.kind == "contact")

    def with_token(row: dict[str, Any]) -> dict[str, Any]:
        return row | {"contact_id": token} if row.get("contact_id") == contact else row

    for name in INSIGHTS:
        expected = [with_token(row) for row in mart_rows(published, name)]
        assert mart_rows(copy.paths.published_marts, name) == expected, name
