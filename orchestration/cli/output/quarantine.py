"""Prints the quarantine: files and reasons, key conflicts, accepted files, files exported for repair.

Not here: what is in quarantine (`warehouse.quarantine.summary`), the rest of `sendmart status`.
"""

from collections.abc import Iterable
from shlex import quote

from models.enums import Log
from models.logs import CONTACT_KEYS
from models.masking import printable
from orchestration.stages import AppContext
from orchestration.wording import counted
from warehouse.ledger import LoadedFile
from warehouse.quarantine import RepairFile, reasons_by_file
from warehouse.storage import AnyPath

FILES_IN_STATUS, REASONS_IN_STATUS, ACCEPTANCES_IN_STATUS = 5, 2, 5


def status_lines(context: AppContext, files: Iterable[LoadedFile]) -> list[str]:
    """For `sendmart status`: the files that lost the largest shares of their rows, key conflicts, the latest acceptances."""
    files = list(files)
    lines = _file_lines(context, files, FILES_IN_STATUS, REASONS_IN_STATUS)
    lines += conflict_lines(files, FILES_IN_STATUS)
    acceptances = context.ledger.acceptances()
    for acceptance in acceptances[:ACCEPTANCES_IN_STATUS]:
        outdated = "" if acceptance.is_in_force else " (no longer in force: the file has changed)"
        lines.append(
            f"accepted {acceptance.accepted_at:%Y-%m-%d %H:%M} UTC: {acceptance.log}/{acceptance.source_file}:"
            f" {printable(acceptance.reason)}{outdated}"
        )
    if len(acceptances) > ACCEPTANCES_IN_STATUS:
        lines.append(f"… and {len(acceptances) - ACCEPTANCES_IN_STATUS} earlier acceptances")
    return lines


def list_lines(context: AppContext, log: Log | None, max_files: int, max_reasons: int) -> list[str]:
    """For `sendmart quarantine list`: files with rows in quarantine, and refused files."""
    files = context.ledger.files(log)
    lines = _file_lines(context, files, max_files, max_reasons)
    refused = [file for file in files if file.refusal]
    lines += [refused_line(file) for file in refused[:max_files]]
    if len(refused) > max_files:
        lines.append(f"… and {counted(len(refused) - max_files, 'more refused file')}")
    return lines or ["The quarantine is empty, and no file is refused."]


def refused_line(file: LoadedFile) -> str:
    return f"refused{_accepted(file)}: {file.log}/{file.source_file}: {file.refusal}"


def conflict_lines(files: Iterable[LoadedFile], max_files: int) -> list[str]:
    """The files with conflicting rows, those with the largest shares first."""
    with_rows = sorted(
        (file for file in files if file.conflicting),
        key=lambda file: (-file.conflicting / file.accepted, -file.conflicting),
    )
    lines = [
        f"key conflicts{_accepted(file)}: {file.log}/{file.source_file}: {file.conflicting:,} of"
        f" {counted(file.accepted, 'accepted row')} ({_share(file.conflicting, file.accepted)}) have the"
        f" {CONTACT_KEYS[file.log].column} of rows with another {' or '.join(CONTACT_KEYS[file.log].same)}"
        for file in with_rows[:max_files]
    ]
    if more := with_rows[max_files:]:
        rows = counted(sum(file.conflicting for file in more), "conflicting row")
        lines.append(f"… and {rows} of {counted(len(more), 'more file')}: key_conflicts in published/quarantine.duckdb")
    return lines


def _share(part: int, total: int) -> str:
    """A share in percent: rounded, but neither down to none nor up to all."""
    if 0 < part * 1000 < total:
        return "under 0.1 %"
    percent = 100 * part / total
    return f"{min(percent, 99.9 if part < total else 100):.3g} %"


def _accepted(file: LoadedFile) -> str:
    return " (accepted)" if file.is_accepted else ""


def _file_lines(context: AppContext, files: Iterable[LoadedFile], max_files: int, max_reasons: int) -> list[str]:
    with_rows = sorted(
        (file for file in files if file.rejected), key=lambda file: (-file.rejected / file.rows, -file.rejected)
    )
    reasons = reasons_by_file(context.paths.quarantine, with_rows[:max_files], max_reasons)
    lines = []
    for file in with_rows[:max_files]:
        rows = f"{file.rejected:,} of {counted(file.rows, 'row')} ({_share(file.rejected, file.rows)})"
        lines.append(f"quarantine{_accepted(file)}: {file.log}/{file.source_file}: {rows}")
        lines += [
            f"  {reason.rows:,} with {printable(reason.reason)} (first in row {reason.row_number})"
            for reason in reasons.get((file.log, file.source_file), ())
        ]
    if more := with_rows[max_files:]:
        rows = counted(sum(file.rejected for file in more), "row")
        lines.append(f"… and {rows} of {counted(len(more), 'more file')}: sendmart quarantine list")
    return lines


def repair_lines(landing: AnyPath, file: LoadedFile, written: RepairFile, *, rows_only: bool) -> list[str]:
    """For `sendmart quarantine export`: what was written for a file, and the next step."""
    name = f"{file.log}/{file.source_file}"
    folder = (landing / file.path_in_landing).parent if file.source else landing / file.log
    source = "copied from the landing zone" if written.is_copy else "assembled from lake and quarantine"
    lines = [str(path) for path in written.files]
    lines.append(f"  {name}: {counted(written.rows, 'row')}, {source}; {written.rejected:,} of them to fix")
    if written.left_out:
        lines.append(
            f"  {written.left_out:,} rows were left out: the quarantine does not hold them in full, they were erased, or Parquet"
            " alone can hold their values"
        )
    if rows_only:
        lines.append(
            f"  Next: fix the rows and drop the file into {folder}; sendmart accept {quote(name)}"
            f' --reason "fixed in {written.files[0].name}"; sendmart refresh'
        )
    else:
        files = "the file" if len(written.files) == 1 else "all of the files"
        lines.append(f"  Next: fix the rows, drop {files} into {folder} under the same name; sendmart refresh")
    return lines
