"""Prints the figures under other settings.

Not here: the figures (`warehouse.transform.what_if`).
"""

from decimal import Decimal
from typing import Any

from rich.table import Table

from models.masking import printable
from orchestration.cli.output.console import console, right_aligned
from warehouse.config import Engine, Settings
from warehouse.publish.build_diff import format_change, format_number
from warehouse.transform.what_if import Rows, WhatIf

_FIGURES_OF_SUPPRESSION = (
    *("numbers", "messages_after", "delivered_after", "segments_after", "cost_after"),
    *("direct_orders_after", "revenue_after"),
)
_FIGURES_OF_CAMPAIGN = (
    *("direct_orders", "assisted_orders", "revenue", "assisted_revenue"),
    *("conversion_rate_by_clickers", "conversion_rate_by_delivered", "conversion_rate_by_sent"),
)


def print_what_if(settings: Settings, what_if: WhatIf, campaign_id: str | None) -> None:
    """Prints the figures by conversion window, of one campaign or of all, then by threshold of suppression."""
    console.print(
        f"From the lake as it is now, data until {what_if.data_until}. Amounts in {settings.reporting_currency}."
    )
    if settings.engine is not Engine.DUCKDB:
        console.print("Computed by DuckDB. Spark gives the same figures.")
    if campaign_id is None:
        _print_totals(what_if.windows)
        _print_campaigns(what_if)
    else:
        title = f"Campaign {printable(campaign_id, '?')} by conversion window in hours"
        _print_by_setting(title, "window_hours", _FIGURES_OF_CAMPAIGN, what_if.windows)
    title = "All numbers by consecutive hard bounces that suppress one, and what was sent to such numbers afterwards"
    _print_by_setting(title, "hard_bounces", _FIGURES_OF_SUPPRESSION, what_if.suppression)
    if not settings.hard_bounce_suppression:
        console.print("No number is suppressed: SENDMART_HARD_BOUNCE_SUPPRESSION is false.")


def _print_totals(rows: Rows) -> None:
    in_force = next(row for row in rows if row["is_in_force"])
    table = Table(
        *right_aligned("window_hours", "direct_orders", "Change", "assisted_orders", "Change", "revenue", "Change"),
        title="All campaigns by conversion window in hours", title_justify="left",
    )  # fmt: skip
    for row in rows:
        cells = [_setting(row, "window_hours")]
        for figure in ("direct_orders", "assisted_orders", "revenue"):
            change = "" if row["is_in_force"] else format_change(Decimal(in_force[figure]), Decimal(row[figure]))
            cells += [_figure(row[figure]), change]
        table.add_row(*cells)
    console.print(table)


def _print_campaigns(what_if: WhatIf) -> None:
    console.print(f"Campaigns with other figures in one of these windows: {what_if.changed_campaigns:,}")
    if not what_if.campaigns:
        return
    table = Table(
        "Campaign", "Name", *right_aligned("window_hours", "direct_orders", "revenue in force", "revenue", "Change"),
        title="Campaigns, largest changes of revenue first", title_justify="left",
    )  # fmt: skip
    for row in what_if.campaigns:
        names = (printable(name or "", "?") for name in (row["campaign_id"], row["campaign_name"]))
        orders = f"{row['direct_orders_in_force']:,} → {row['direct_orders']:,}"
        change = format_change(row["revenue_in_force"], row["revenue"])
        amounts = (_figure(row["revenue_in_force"]), _figure(row["revenue"]))
        table.add_row(*names, f"{row['window_hours']:,}", orders, *amounts, change)
    console.print(table)
    if len({row["campaign_id"] for row in what_if.campaigns}) < what_if.changed_campaigns:
        console.print("One campaign: sendmart what-if --campaign ID")


def _print_by_setting(title: str, setting: str, figures: tuple[str, ...], rows: Rows) -> None:
    table = Table(*right_aligned(setting, *figures), title=title, title_justify="left")
    for row in rows:
        table.add_row(_setting(row, setting), *(_figure(row[figure]) for figure in figures))
    console.print(table)


def _setting(row: dict[str, Any], setting: str) -> str:
    return f"{'in force ' if row['is_in_force'] else ''}{row[setting]:,}"


def _figure(value: Any) -> str:
    """A count, an amount, or a rate; null is empty."""
    if value is None:
        return ""
    return f"{value:.2%}" if isinstance(value, float) else format_number(round(Decimal(value), 2))
