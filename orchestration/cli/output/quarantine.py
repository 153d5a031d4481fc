"""What the command line tells of the quarantine: files and reasons, what persons accepted, what was exported to be mended.

Not here: what is in quarantine (`warehouse.quarantine.summary`), the rest of what is told (`orchestration.cli.output.console`).
"""

from collections.abc import Iterable
from pathlib import Path
from shlex import quote

from models.enums import Log
from orchestration.stages import AppContext
from warehouse.ledger import LoadedFile
from warehouse.quarantine.export import RepairFile
from warehouse.quarantine.summary import Reason, reasons_by_file

FILES_IN_STATUS, REASONS_IN_STATUS, ACCEPTANCES_IN_STATUS = 5, 2, 5


def status_lines(context: AppContext, files: Iterable[LoadedFile]) -> list[str]:
    """For `sendmart status`: the files with most rows in quarantine, and what was accepted last."""
    lines = _file_lines(context, files, FILES_IN_STATUS, REASONS_IN_STATUS)
    acceptances = context.ledger.acceptances()
    for told in acceptances[:ACCEPTANCES_IN_STATUS]:
        past = "" if told.is_in_force else " (the file has other content now: judged anew)"
        lines.append(
            f"accepted {told.accepted_at:%Y-%m-%d %H:%M} UTC: {told.log}/{told.source_file}: {_on_a_line(told.reason)}{past}"
        )
    if len(acceptances) > ACCEPTANCES_IN_STATUS:
        lines.append(f"… and {len(acceptances) - ACCEPTANCES_IN_STATUS} accepted before")
    return lines


def list_lines(context: AppContext, log: Log | None, most_files: int, most_reasons: int) -> list[str]:
    """For `sendmart quarantine`: files with rows in quarantine, and files refused."""
    files = context.ledger.files(log)
    lines = _file_lines(context, files, most_files, most_reasons)
    refused = [file for file in files if file.refusal]
    lines += [
        f"refused{_accepted(file)}: {file.log}/{file.source_file}: {file.refusal}" for file in refused[:most_files]
    ]
    if len(refused) > most_files:
        lines.append(f"… and {len(refused) - most_files} more files refused")
    return lines or ["Nothing is in quarantine, and no file stands refused."]


def _file_lines(context: AppContext, files: Iterable[LoadedFile], most_files: int, most_reasons: int) -> list[str]:
    with_rows = sorted((file for file in files if file.rejected), key=lambda file: -file.rejected)
    shown = with_rows[:most_files]
    reasons = reasons_by_file(context.paths, shown, most_reasons)
    lines = []
    for file in shown:
        lines.append(
            f"quarantine{_accepted(file)}: {file.log}/{file.source_file}: {file.rejected:,} of {file.records:,} rows"
        )
        lines += [f"  {_in_words(reason)}" for reason in reasons.get((file.log, file.source_file), ())]
    if len(with_rows) > most_files:
        rest = sum(file.rejected for file in with_rows[most_files:])
        lines.append(f"… and {rest:,} rows of {len(with_rows) - most_files} more files: sendmart quarantine list")
    return lines


def _in_words(told: Reason) -> str:
    return f"{told.rows:,} with {_on_a_line(told.reason)} (first in row {told.row_number})"


def _accepted(file: LoadedFile) -> str:
    return " (accepted)" if file.is_accepted else ""


def _on_a_line(text: str) -> str:
    """What was typed or found, as text: no line breaks, no control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def mendable_lines(landing: Path, file: LoadedFile, written: RepairFile, *, rows_only: bool) -> list[str]:
    """What was exported of a file, and what to do with it."""
    name = f"{file.log}/{file.source_file}"
    lines = [f"{path}" for path in written.files]
    how = "a copy of the file" if written.is_copy else "put together from lake and quarantine"
    lines.append(f"  {name}: {written.rows:,} rows ({how}), {written.rejected:,} of them to be mended")
    if written.left_out:
        lines.append(
            f"  {written.left_out:,} rows were left out: only their first 64 KiB are kept, or nothing since they were erased"
        )
    if rows_only:
        lines.append(
            f'  Next: mend, drop into {landing / file.log}; sendmart accept {quote(name)} --reason "mended in'
            f' {written.files[0].name}"; sendmart refresh'
        )
    else:
        what = "drop" if len(written.files) == 1 else "drop all of them"
        lines.append(f"  Next: mend, {what} into {landing / file.log} under the same name; sendmart refresh")
    return lines
