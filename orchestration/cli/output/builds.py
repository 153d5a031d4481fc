"""Prints builds: what holds one back, which are kept, what changed between two.

Not here: the diff itself (`warehouse.publish.build_diff`), the end of a refresh (`orchestration.cli.output.refresh`).
"""

from rich.table import Table

from orchestration.cli.output.console import console, printable
from orchestration.stages import AppContext
from quality.gate import BlockingProblem
from warehouse.publish import BuildDiff, KeptBuilds, format_change, format_number

MAX_CAMPAIGNS = 20


def print_blocking_problems(problems: tuple[BlockingProblem, ...]) -> None:
    """Prints why a build is held back."""
    for problem in problems:
        console.print(f"  {problem}")


def print_kept_builds(context: AppContext) -> None:
    """Prints the builds that can be published again."""
    for publication in KeptBuilds(context.paths.kept_builds, context.ledger).publications():
        line = f"  {publication.build_id}, published {publication.published_at:%Y-%m-%d %H:%M:%S} UTC"
        if publication.rolled_back_from:
            line += f", by a rollback from {publication.rolled_back_from}"
        console.print(line)


def print_diff(diff: BuildDiff) -> None:
    """Prints what changed between two builds: by mart, then by campaign."""
    _print_marts(diff)
    for kind, campaigns in (("New", diff.new_campaigns), ("Removed", diff.removed_campaigns)):
        if campaigns:
            more = f", … and {len(campaigns) - MAX_CAMPAIGNS:,} more" if len(campaigns) > MAX_CAMPAIGNS else ""
            shown = ", ".join(printable(campaign, "?") for campaign in campaigns[:MAX_CAMPAIGNS])
            console.print(f"{kind} campaigns: {len(campaigns):,}: {shown}{more}")
    console.print(f"Campaigns with changed figures: {diff.changed_campaigns:,}")
    if diff.metric_changes:
        _print_figures(diff)


def _print_marts(diff: BuildDiff) -> None:
    table = Table(title="Marts", title_justify="left")
    table.add_column("Mart")
    for header in ("Rows before", "Rows after", "Added", "Removed", "Changed"):
        table.add_column(header, justify="right")
    table.add_column("Columns")
    for mart in diff.marts:
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


def _print_figures(diff: BuildDiff) -> None:
    table = Table(title="Figures by campaign, largest changes first", title_justify="left")
    for header in ("Campaign", "Name", "Figure"):
        table.add_column(header)
    for header in ("Before", "After", "Change"):
        table.add_column(header, justify="right")
    for change in diff.metric_changes:
        table.add_row(
            printable(change.campaign_id, "?"),
            printable(change.campaign_name or "", "?"),
            change.metric,
            format_number(change.before),
            format_number(change.after),
            format_change(change.before, change.after),
        )
    console.print(table)
    if len({change.campaign_id for change in diff.metric_changes}) < diff.changed_campaigns:
        console.print("More campaigns: sendmart diff --all. One campaign: sendmart diff --campaign ID")
