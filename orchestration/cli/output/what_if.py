"""Prints the figures under other settings.

Not here: the figures (`warehouse.transform.what_if`).
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rich.table import Column, Table

from models.masking import printable
from orchestration.cli.output.console import console, right_aligned
from warehouse.config import Engine, Settings
from warehouse.publish.build_diff import format_change
from warehouse.transform.what_if import Rows, WhatIf

MAX_CAMPAIGNS = 20

_OF_SUPPRESSION = {
    "numbers": "Numbers",
    "messages_after": "Messages",
    "delivered_after": "Delivered",
    "segments_after": "Segments",
    "cost_after": "Cost",
    "direct_orders_after": "Direct orders",
    "revenue_after": "Revenue",
}
_OF_CAMPAIGN = {
    "direct_orders": "Direct orders",
    "assisted_orders": "Assisted orders",
    "revenue": "Revenue",
    "assisted_revenue": "Assisted revenue",
    "conversion_rate_by_clickers": "By clickers",
    "conversion_rate_by_delivered": "By delivered",
    "conversion_rate_by_sent": "By sent",
}


def print_what_if(settings: Settings, result: WhatIf, campaign_id: str | None) -> None:
    """Prints the figures by conversion window, of one campaign or of all, then by number of hard bounces."""
    windows = result.totals() if campaign_id is None else result.of_campaign(campaign_id)
    console.print(
        f"From the lake as it is now, data until {result.data_until}. Amounts in {settings.reporting_currency}."
    )
    if settings.engine is not Engine.DUCKDB:
        console.print("Computed by DuckDB. Spark gives the same figures.")
    if campaign_id is None:
        _print_totals(windows)
        _print_campaigns(result)
    else:
        title = (
            f"Campaign {printable(campaign_id, '?')} by conversion window; conversion rate by clickers, delivered, sent"
        )
        _print_by_setting(title, "Hours", "window_hours", _OF_CAMPAIGN, windows)
    title = "Numbers that so many consecutive hard bounces suppress, and what was sent to them afterwards"
    _print_by_setting(title, "Hard bounces", "hard_bounces", _OF_SUPPRESSION, result.suppression())
    if not settings.hard_bounce_suppression:
        console.print("No setting is in force: SENDMART_HARD_BOUNCE_SUPPRESSION is false.")


def _print_totals(rows: Rows) -> None:
    in_force = next(row for row in rows if row["is_in_force"])
    table = Table(
        *right_aligned("Hours", "Direct orders", "Change", "Assisted orders", "Change", "Revenue", "Change"),
        title="All campaigns by conversion window", title_justify="left",
    )  # fmt: skip
    for row in rows:
        cells = [_setting(row, "window_hours")]
        for figure in ("direct_orders", "assisted_orders", "revenue"):
            cells += [_figure(row[figure]), _change(in_force[figure], row[figure])]
        table.add_row(*cells)
    console.print(table)


def _print_campaigns(result: WhatIf) -> None:
    changed = result.changed_campaigns()
    console.print(f"Campaigns with other figures in one of these windows: {changed:,}")
    if not changed:
        return
    table = Table(
        Column("Campaign", overflow="fold"), "Name",
        *right_aligned("Hours", "Direct orders", "Assisted orders", "Revenue", "Change"),
        title="Campaigns, from the window in force to another one, largest changes of revenue first", title_justify="left",
    )  # fmt: skip
    for row in result.largest_changes(MAX_CAMPAIGNS):
        names = (printable(name or "", "?") for name in (row["campaign_id"], row["campaign_name"]))
        both = (
            f"{_figure(row[f'{figure}_in_force'])} → {_figure(row[figure])}"
            for figure in ("direct_orders", "assisted_orders", "revenue")
        )
        table.add_row(*names, f"{row['window_hours']:,}", *both, _change(row["revenue_in_force"], row["revenue"]))
    console.print(table)
    if changed > MAX_CAMPAIGNS:
        console.print("Another campaign: sendmart what-if --campaign ID")


def _print_by_setting(title: str, header: str, setting: str, figures: Mapping[str, str], rows: Rows) -> None:
    table = Table(*right_aligned(header, *figures.values()), title=title, title_justify="left")
    for row in rows:
        table.add_row(_setting(row, setting), *(_figure(row[figure]) for figure in figures))
    console.print(table)


def _setting(row: Mapping[str, Any], setting: str) -> str:
    return f"{'in force: ' if row['is_in_force'] else ''}{row[setting]:,}"


def _figure(value: Any) -> str:
    """A count, an amount to the cent, or a rate; null is empty."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.2%}"
    return f"{value:,.2f}" if isinstance(value, Decimal) else f"{value:,}"


def _change(before: Any, after: Any) -> str:
    return "" if before == after else format_change(Decimal(before), Decimal(after))
