"""`sendmart accept`: waive the problems in one version of a log file."""

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.common import USAGE_ERROR, fail, find_files, open_context
from orchestration.cli.output.console import console
from warehouse.storage import is_object


def accept(
    file: Annotated[str, typer.Argument(help="The file: its path, or LOG/NAME as in sends/2026-01-05.csv.gz.")],
    reason: Annotated[str, typer.Option(help="Why the problems are acceptable. The reason is recorded.")],
) -> None:
    """Waive the problems in this version of the file.

    They no longer hold a build back. A changed file is checked as usual.

    Exit code 0: accepted. 2: no reason, or no such file.
    """
    context = open_context()
    landing = context.settings.landing
    if is_object(landing):
        file = file.removeprefix(f"{landing}/")
    else:
        with contextlib.suppress(ValueError):
            file = Path(file).absolute().relative_to(landing).as_posix()
    if not reason.strip():
        fail("--reason must not be empty", USAGE_ERROR)
    files = find_files(context.ledger.files(), file)
    if len(files) != 1:
        problem = f"{len(files)} files are printed under this name" if files else "no such file was loaded or refused"
        fail(f"{file}: {problem}. See: sendmart status", USAGE_ERROR)
    (accepted,) = files
    context.ledger.accept(accepted.log, accepted.source_file, accepted.sha256, reason.strip())
    console.print(f"{file}: accepted, this version only. Next: sendmart refresh")
