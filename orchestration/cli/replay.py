"""`sendmart replay`: write the marts as of an earlier log date to a file."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.common import USAGE_ERROR, fail, open_context, show_progress


def replay(
    as_of: Annotated[str, typer.Option(metavar="DATE", help="The last log date that counts, such as 2026-01-31.")],
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="File to write. Default: sendmart_as_of_<date>.duckdb in the current folder."
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")] = False,
) -> None:
    """Write the marts to a file, as a refresh would have published them from the log files up to a log date.

    The files count with the content that they have now, under the settings of now. Files of these dates that were replaced
    later are listed. The command changes no data and waits for no refresh. docs/insights.md describes it.

    Exit code 0: written. 1: nothing is loaded, or the build failed. 2: the date, the file or a setting is invalid.
    """
    from orchestration.cli.output.replay import print_replay
    from orchestration.errors import failure_of
    from warehouse.lake.integrity import LakeDamaged
    from warehouse.lake.snapshot import ErasureUnfinished
    from warehouse.privacy import KeyMissing
    from warehouse.publish.replay import NothingToReplay, check_is_loaded, default_file, own_folder, write_replay
    from warehouse.transform.dbt_runner import BuildFailed

    context = open_context()
    log_date = _log_date(as_of)
    file = to or default_file(log_date)
    if file.is_dir():
        file = file / default_file(log_date)
    if folder := own_folder(context.settings, context.paths, file):
        fail(f"--to {file} is in {folder}, where Sendmart keeps its own files: name a file elsewhere", USAGE_ERROR)
    if not file.parent.is_dir():
        fail(f"--to {file}: the folder {file.parent} does not exist", USAGE_ERROR)
    if file.exists() and not overwrite:
        fail(f"{file} exists. To replace it: --overwrite. To write another file: --to FILE", USAGE_ERROR)
    try:
        check_is_loaded(context.ledger, log_date)
        show_progress()
        result = write_replay(context.settings, context.paths, context.ledger, log_date, file)
    except NothingToReplay as error:
        fail(f"{error}. Next: sendmart status, which shows the loaded logs")
    except ErasureUnfinished as error:
        fail(f"Not written: {error}. Next: sendmart refresh; then: sendmart replay --as-of {log_date}")
    except (BuildFailed, LakeDamaged, KeyMissing) as error:
        fail(str(failure_of(error, context)))
    print_replay(context.settings, log_date, result)


def _log_date(text: str) -> date:
    try:
        log_date = date.fromisoformat(text)
    except ValueError:
        fail(f"--as-of {text}: must be a date, such as 2026-01-31", USAGE_ERROR)
    today = datetime.now(UTC).date()
    if log_date > today:
        fail(f"--as-of {text}: is in the future; today is {today} (UTC)", USAGE_ERROR)
    return log_date
