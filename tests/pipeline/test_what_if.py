"""`sendmart what-if`: each setting gives what a full refresh with it gives, while another refresh holds the data folder."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from orchestration import stages
from orchestration.cli.main import app
from orchestration.stages import AppContext
from tests.running import RefreshedWarehouse, copy_of, environment, environment_of, held_by_a_refresh, mart_rows
from warehouse.config import Engine
from warehouse.duckdb_tools import attached
from warehouse.transform.what_if import NothingToCompute, WhatIf, what_if

WINDOWS, HARD_BOUNCES = (1, 500), (1, 12)
"""Values that are not configured; the window in force is 120 hours, suppression follows 3 hard bounces."""

OF_CAMPAIGN = ("direct_orders", "assisted_orders", "revenue", "assisted_revenue")

AFTER_SUPPRESSION = """
    with after as (
        select messages.*
        from build.intermediate.int_messages_resolved as messages
        join candidate.marts.suppressed_numbers as suppressed using (mobile_number)
        where messages.is_sent and messages.sent_at > suppressed.suppressed_at
    ),
    orders as (
        select revenue
        from in_force.marts.attributed_orders
        join in_force.insights.click_quality using (click_id)
        semi join after using (message_id)
        where attribution = 'direct'
    )
    select
        (select count(*) from candidate.marts.suppressed_numbers) as numbers,
        count(*) as messages_after,
        count(*) filter (delivery_status = 'delivered') as delivered_after,
        coalesce(sum(segments), 0) as segments_after,
        coalesce(sum(cost), 0) as cost_after,
        (select count(*) from orders) as direct_orders_after,
        (select coalesce(sum(revenue), 0) from orders) as revenue_after
    from after join (select message_id, cost from costs.intermediate.int_messages_enriched) using (message_id)
"""
"""Of a build with another threshold. `costs`: the build with the settings in force; `in_force`: the same as it is published."""


def by_campaign(rows: list[dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
    return {row["campaign_id"]: tuple(row[figure] for figure in OF_CAMPAIGN) for row in rows}


def of_window(result: WhatIf, hours: int) -> dict[str, tuple[Any, ...]]:
    query = "select * from candidate.insights.campaign_metrics_by_window where window_hours = ?"
    cursor = result.connection.execute(query, [hours])
    names = [column[0] for column in cursor.description]
    return by_campaign([dict(zip(names, row, strict=True)) for row in cursor.fetchall()])


def test_each_setting_gives_what_a_full_refresh_with_it_gives(
    refreshed_insights: RefreshedWarehouse, tmp_path: Path
) -> None:
    warehouse = copy_of(refreshed_insights, tmp_path / "what-if").warehouse
    rebuilt = copy_of(refreshed_insights, tmp_path / "refreshed").warehouse
    settings = warehouse.settings.model_copy(update={"engine": Engine.SPARK, "insights": False})
    paths, ledger = warehouse.paths, warehouse.ledger
    with (
        held_by_a_refresh(paths),
        what_if(settings, paths, ledger, windows=WINDOWS, hard_bounces=HARD_BOUNCES) as result,
    ):
        assert [row["window_hours"] for row in result.totals()] == [1, 120, 500]
        suppression = {row["hard_bounces"]: row for row in result.suppression()}
        assert [(number, row["is_in_force"]) for number, row in suppression.items()] == [
            (1, False),
            (3, True),
            (12, False),
        ]
        before = by_campaign(mart_rows(refreshed_insights.warehouse.paths.published_marts, "campaign_metrics"))
        assert of_window(result, 120) == before
        changed = set()
        for hours, hard_bounces in zip(WINDOWS, HARD_BOUNCES, strict=True):
            setting = {"conversion_window_hours": hours, "hard_bounces_to_suppress": hard_bounces}
            with_setting = AppContext.of(rebuilt.settings.model_copy(update=setting))
            stages.build_candidate(with_setting)
            of_refresh = by_campaign(mart_rows(with_setting.paths.candidate, "campaign_metrics"))
            assert of_window(result, hours) == of_refresh
            changed |= {campaign for campaign, figures in of_refresh.items() if figures != before[campaign]}
            files = {"build": with_setting.paths.build, "candidate": with_setting.paths.candidate}
            in_force = refreshed_insights.warehouse.paths
            with attached(costs=in_force.build, in_force=in_force.published_marts, **files) as connection:
                cursor = connection.execute(AFTER_SUPPRESSION)
                figures = dict(zip((column[0] for column in cursor.description), cursor.fetchall()[0], strict=True))
            assert {name: suppression[hard_bounces][name] for name in figures} == figures
        assert result.changed_campaigns() == len(changed) > 10
        assert {row["campaign_id"] for row in result.largest_changes(1000)} == changed
        revenue = [abs(row["revenue"] - row["revenue_in_force"]) for row in result.largest_changes(1)]
        assert max(revenue) == max(
            abs(of_window(result, hours)[campaign][2] - before[campaign][2]) for hours in WINDOWS for campaign in before
        )
        (campaign, *_) = changed
        assert [row["window_hours"] for row in result.of_campaign(campaign)] == [1, 120, 500]
        with pytest.raises(NothingToCompute, match="No message of a campaign 'no such campaign' is in the lake"):
            result.of_campaign("no such campaign")
    assert suppression[1]["messages_after"] > suppression[3]["messages_after"] > 0
    assert min(suppression[1][figure] for figure in ("cost_after", "direct_orders_after", "revenue_after")) > 0
    assert not any((settings.scratch / "snapshots").glob("*/"))


def test_the_command_prints_the_figures_of_a_campaign_and_of_suppression(
    refreshed_small: RefreshedWarehouse, tmp_path: Path
) -> None:
    copied = copy_of(refreshed_small, tmp_path, hard_bounce_suppression="false")
    campaign = min(
        (row for row in mart_rows(copied.warehouse.paths.published_marts, "campaign_metrics") if row["revenue"]),
        key=lambda row: row["campaign_id"],
    )
    with environment(copied.environment):
        run = CliRunner().invoke(app, ["what-if", "--campaign", campaign["campaign_id"]])
    assert (run.exit_code, run.stderr) == (0, "")
    (in_force,) = (line for line in run.stdout.splitlines() if "in force: 120" in line)
    assert f"{campaign['revenue']:,.2f}" in in_force
    assert [hours for hours in (24, 72, 168, 720) if f" {hours} │" in run.stdout] == [24, 72, 168, 720]
    assert "SENDMART_HARD_BOUNCE_SUPPRESSION is false" in run.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--window", "a day"], "--window a day: must be 1 to 20 whole numbers of hours, from 1 to 87600"),
        (["--window", "24,0"], "--window 24,0: must be"),
        (["--window", "24,24"], "must name each number once"),
        (["--hard-bounces", "1001"], "whole numbers of hard bounces, from 1 to 1000"),
        (["--hard-bounces", ""], "--hard-bounces : must be"),
    ],
)
def test_numbers_out_of_range_are_refused(arguments: list[str], message: str, tmp_path: Path) -> None:
    with environment(environment_of(tmp_path / "data", tmp_path / "landing")):
        run = CliRunner().invoke(app, ["what-if", *arguments])
    assert (run.exit_code, message in run.stderr) == (2, True), run.output


def test_without_a_loaded_log_file_there_is_nothing_to_compute(tmp_path: Path) -> None:
    with environment(environment_of(tmp_path / "data", tmp_path / "landing")):
        run = CliRunner().invoke(app, ["what-if"])
    assert (run.exit_code, "Nothing has been loaded yet" in run.stderr) == (1, True)
