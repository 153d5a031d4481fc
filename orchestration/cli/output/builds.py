"""Prints builds: what holds one back, which are kept, what changed between two.

Not here: the comparison itself (`warehouse.publish.build_diff`), the end of a refresh (`orchestration.cli.output.refresh`).
"""

from rich.table import Table

from orchestration.cli.output.console import console, printable
from orchestration.stages import AppContext
from quality.gate import BlockingProblem
from warehouse.publish.build_diff import Comparison, change, number
from warehouse.publish.kept_builds import kept_builds

MAX_CAMPAIGNS = 20


def print_blocking_problems(problems: tuple[BlockingProblem, ...]) -> None:
    """Prints why a build is held back."""
    for problem in problems:
        console.print(f"  {problem}")


def print_kept_builds(context: AppContext) -> None:
    """Prints the builds that can be published again."""
    for publication in kept_builds(context.paths, context.ledger):
        line = f"  {publication.build_id}, published {publication.published_at:%Y-%m-%d %H:%M:%S} UTC"
        if publication.rolled_back_from:
            line += f", by a rollback from {publication.rolled_back_from}"
        console.print(line)


def print_comparison(comparison: Comparison) -> None:
    """Prints what changed between two builds: by mart, then by campaign."""
    _print_marts(comparison)
    for kind, campaigns in (("New", comparison.new_campaigns), ("Removed", comparison.gone_campaigns)):
        if campaigns:
            more = f", … and {len(campaigns) - MAX_CAMPAIGNS:,} more" if len(campaigns) > MAX_CAMPAIGNS else ""
            shown = ", ".join(printable(campaign, "?") for campaign in campaigns[:MAX_CAMPAIGNS])
            console.print(f"{kind} campaigns: {len(campaigns):,}: {shown}{more}")
    console.print(f"Campaigns with changed figures: {comparison.campaigns_moved:,}")
    if comparison.moves:
        _print_figures(comparison)


def _print_marts(comparison: Comparison) -> None:
    table = Table(title="Marts", title_justify="left")
    table.add_column("Mart")
    for header in ("Rows before", "Rows after", "Added", "Removed", "Changed"):
        table.add_column(header, justify="right")
    table.add_column("Columns")
    for mart in comparison.marts:
        columns = [
            *(f"+{name}" for name in mart.columns_added),
            *(f"-{name}" for name in mart.columns_removed),
            *(f"{name}: type changed" for name in mart.columns_retyped),
        ]
        table.add_row(
            mart.mart,
            f"{mart.rows_before:,}",
            f"{mart.rows_after:,}",
            *("?" if rows is None else f"{rows:,}" for rows in (mart.added, mart.removed, mart.changed)),
            ", ".join(columns),
        )
    console.print(table)


def _print_figures(comparison: Comparison) -> None:
    table = Table(title="Figures by campaign, largest changes first", title_justify="left")
    for header in ("Campaign", "Name", "Figure"):
        table.add_column(header)
    for header in ("Before", "After", "Change"):
        table.add_column(header, justify="right")
    for move in comparison.moves:
        table.add_row(
            printable(move.campaign_id, "?"),
            printable(move.campaign_name or "", "?"),
            move.figure,
            number(move.before),
            number(move.after),
            change(move.before, move.after),
        )
    console.print(table)
    if len({move.campaign_id for move in comparison.moves}) < comparison.campaigns_moved:
        console.print("More campaigns: sendmart diff --all. One campaign: sendmart diff --campaign ID")
