"""`sendmart what-if`: the figures under other settings."""

from typing import Annotated

import typer

from orchestration.cli.common import USAGE_ERROR, fail, open_context, utf_8


def what_if(
    window: Annotated[
        str | None,
        typer.Option(metavar="H,…", help="Conversion windows in hours. Default: those of SENDMART_WHAT_IF_WINDOWS."),
    ] = None,
    hard_bounces: Annotated[
        str | None,
        typer.Option(
            metavar="N,…", help="Numbers of consecutive hard bounces that suppress a number. Default: 1 to 10."
        ),
    ] = None,
    campaign: Annotated[
        str | None, typer.Option(metavar="ID", help="The windows of this campaign only.", callback=utf_8)
    ] = None,
) -> None:
    """Show the figures that other conversion windows, and another suppression after hard bounces, would give.

    Each row holds the figures that a full refresh with this setting would publish. The settings in force are always there.
    The command changes no data and waits for no refresh. docs/insights.md describes the figures.

    Exit code 0: shown. 1: nothing is loaded, the campaign is unknown, or the build failed. 2: an argument or a setting is
    invalid.
    """
    from orchestration.cli.output.what_if import print_what_if
    from orchestration.errors import failure_of
    from warehouse.config.setting_types import MAX_HARD_BOUNCES, MAX_WINDOW_HOURS
    from warehouse.lake.integrity import LakeDamaged
    from warehouse.lake.snapshot import ErasureUnfinished
    from warehouse.transform.dbt_runner import BuildFailed
    from warehouse.transform.what_if import NothingToCompute
    from warehouse.transform.what_if import what_if as compute

    context = open_context()
    windows = _numbers("--window", window, MAX_WINDOW_HOURS, "hours")
    thresholds = _numbers("--hard-bounces", hard_bounces, MAX_HARD_BOUNCES, "hard bounces")
    settings, paths, ledger = context.settings, context.paths, context.ledger
    try:
        with compute(settings, paths, ledger, windows=windows, hard_bounces=thresholds) as result:
            print_what_if(settings, result, campaign)
    except NothingToCompute as error:
        fail(f"{error}. Next: sendmart status, which shows the loaded logs")
    except ErasureUnfinished as error:
        fail(f"Not computed: {error}. Next: sendmart refresh; then: sendmart what-if")
    except (BuildFailed, LakeDamaged) as error:
        fail(str(failure_of(error, context)))


def _numbers(option: str, text: str | None, maximum: int, unit: str) -> list[int] | None:
    from warehouse.config.setting_types import whole_numbers

    try:
        return None if text is None else whole_numbers(text, maximum, unit)
    except ValueError as error:
        fail(f"{option} {text}: {error}", USAGE_ERROR)
