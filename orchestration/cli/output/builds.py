"""What the command line tells of builds: what holds one back, which are kept, what changed between two.

Not here: what a refresh and the status tell (`orchestration.cli.output.console`).
"""

from rich.table import Table

from orchestration.cli.output.console import console
from orchestration.stages import AppContext
from quality.gate import BlockingProblem
from warehouse.publish.build_diff import Comparison, change, number
from warehouse.publish.kept_builds import kept_builds

CAMPAIGNS_SHOWN = 20


def blocking_problems(problems: tuple[BlockingProblem, ...]) -> None:
    """Prints why a build is held back."""
    for problem in problems:
        console.print(f"  {problem}")


def kept(context: AppContext) -> None:
    """The builds that there are to go back to."""
    for publication in kept_builds(context.paths, context.ledger):
        words = f"  {publication.build_id}, published {publication.published_at:%Y-%m-%d %H:%M:%S} UTC"
        if publication.rolled_back_from:
            words += f", going back from {publication.rolled_back_from}"
        console.print(words)


def comparison(found: Comparison) -> None:
    """What changed: by mart, then by campaign."""
    table = Table(title="Marts", title_justify="left")
    table.add_column("Mart")
    for header in ("Rows before", "Rows after", "Added", "Removed", "Changed"):
        table.add_column(header, justify="right")
    table.add_column("Columns")
    for of_mart in found.marts:
        by_key = (of_mart.added, of_mart.removed, of_mart.changed)
        altered = [
            *(f"+{name}" for name in of_mart.columns_added),
            *(f"-{name}" for name in of_mart.columns_removed),
            *(f"{name}: other type" for name in of_mart.columns_retyped),
        ]
        table.add_row(
            of_mart.mart,
            f"{of_mart.rows_before:,}",
            f"{of_mart.rows_after:,}",
            *("?" if rows is None else f"{rows:,}" for rows in by_key),
            ", ".join(altered),
        )
    console.print(table)
    for what, campaigns in (("new", found.new_campaigns), ("gone", found.gone_campaigns)):
        if campaigns:
            more = f", … and {len(campaigns) - CAMPAIGNS_SHOWN:,} more" if len(campaigns) > CAMPAIGNS_SHOWN else ""
            shown = ", ".join(_printable(campaign) for campaign in campaigns[:CAMPAIGNS_SHOWN])
            console.print(f"Campaigns {what}: {len(campaigns):,}: {shown}{more}")
    console.print(f"Campaigns whose figures moved: {found.campaigns_moved:,}")
    if found.moves:
        _moves(found)


def _moves(found: Comparison) -> None:
    table = Table(title="Figures by campaign, the largest moves first", title_justify="left")
    for header in ("Campaign", "Name", "Figure"):
        table.add_column(header)
    for header in ("Before", "After", "Move"):
        table.add_column(header, justify="right")
    for move in found.moves:
        table.add_row(
            _printable(move.campaign_id),
            _printable(move.campaign_name or ""),
            move.figure,
            number(move.before),
            number(move.after),
            change(move.before, move.after),
        )
    console.print(table)
    if len({move.campaign_id for move in found.moves}) < found.campaigns_moved:
        console.print("More: --all, or --campaign ID")


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
