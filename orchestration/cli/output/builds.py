"""Prints which builds are kept, and what changed between two.

Not here: the diff itself (`warehouse.publish.build_diff`), the end of a refresh (`orchestration.cli.output.refresh`).
"""

from rich.table import Table

from models.marts import columns
from models.masking import printable
from orchestration.cli.output.console import console, right_aligned
from orchestration.stages import AppContext
from warehouse.publish.build_diff import BuildDiff, MartChange, format_change, format_number, has_other_currency
from warehouse.publish.kept_builds import KeptBuilds

MAX_CAMPAIGNS = 20


def print_kept_builds(context: AppContext) -> None:
    for publication in KeptBuilds(context.paths.kept_builds, context.ledger).publications():
        line = f"  {publication.build_id}, published {publication.published_at:%Y-%m-%d %H:%M:%S} UTC"
        if publication.rolled_back_from:
            line += f", by a rollback from {publication.rolled_back_from}"
        console.print(line)


def _column_changes(mart: MartChange) -> str:
    number_of_columns = len(columns(mart.mart))
    if len(mart.columns_added) >= number_of_columns:
        return "a new mart"
    if len(mart.columns_removed) >= number_of_columns:
        return "the mart is gone"
    changes = [f"+{name}" for name in mart.columns_added] + [f"-{name}" for name in mart.columns_removed]
    return ", ".join([*changes, *(f"{name}: type changed" for name in mart.columns_retyped)])


def print_diff(diff: BuildDiff) -> None:
    """Prints what changed between two builds: the settings, then by mart, then by campaign."""
    for setting in diff.setting_changes:
        console.print(f"Setting changed: {setting}")
    if has_other_currency(diff.setting_changes):
        console.print("Revenue is not compared: it is in another currency.")
    numbers = right_aligned("Rows before", "Rows after", "Added", "Removed", "Changed")
    table = Table("Mart", *numbers, "Columns", title="Marts", title_justify="left")
    for mart in diff.marts:
        rows = (mart.rows_before, mart.rows_after, mart.added, mart.removed, mart.changed)
        table.add_row(mart.mart, *("?" if n is None else f"{n:,}" for n in rows), _column_changes(mart))
    console.print(table)
    for kind, campaigns in (("New", diff.new_campaigns), ("Removed", diff.removed_campaigns)):
        if campaigns:
            more = f", … and {len(campaigns) - MAX_CAMPAIGNS:,} more" if len(campaigns) > MAX_CAMPAIGNS else ""
            first_campaigns = ", ".join(printable(campaign, "?") for campaign in campaigns[:MAX_CAMPAIGNS])
            console.print(f"{kind} campaigns: {len(campaigns):,}: {first_campaigns}{more}")
    console.print(f"Campaigns with changed figures: {diff.changed_campaigns:,}")
    if not diff.metric_changes:
        return
    table = Table(
        "Campaign", "Name", "Figure", *right_aligned("Before", "After", "Change"),
        title="Figures by campaign, largest changes first", title_justify="left",
    )  # fmt: skip
    for change in diff.metric_changes:
        names = (printable(name or "", "?") for name in (change.campaign_id, change.campaign_name))
        values = (format_number(change.before), format_number(change.after), format_change(change.before, change.after))
        table.add_row(*names, change.metric, *values)
    console.print(table)
    if len({change.campaign_id for change in diff.metric_changes}) < diff.changed_campaigns:
        console.print("More campaigns: sendmart diff --all. One campaign: sendmart diff --campaign ID")
