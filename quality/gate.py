"""The release gate: decides from recorded facts alone whether a candidate may be published. An expected check without a
result blocks like a failed one. An override waives the blocking problems of one build, by their texts.

Not here: running checks (`quality.audit`, dbt), recording results (`warehouse.ledger`), publishing.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from shlex import quote
from typing import Protocol

from models.check_results import CheckResult
from models.enums import Log
from models.error_codes import Code
from models.logs import CONTACT_KEYS
from models.masking import masked


class FileFacts(Protocol):
    """What the ledger records of a loaded or refused log file. `refusal` is the reason why the file was refused,
    `not_selected` the number of records that its mapping gives no row for, `conflicting` the number of accepted rows whose key
    other rows have with another contact.
    """

    @property
    def log(self) -> str: ...
    @property
    def source_file(self) -> str: ...
    @property
    def log_date(self) -> date: ...
    @property
    def refusal(self) -> str | None: ...
    @property
    def accepted(self) -> int: ...
    @property
    def rejected(self) -> int: ...
    @property
    def not_selected(self) -> int: ...
    @property
    def conflicting(self) -> int: ...
    @property
    def is_accepted(self) -> bool: ...


class Withdrawal(Protocol):
    """A rollback from this build, or from one with the same inputs, to `build_id`. `published_at` is UTC."""

    @property
    def build_id(self) -> str: ...
    @property
    def published_at(self) -> datetime: ...
    @property
    def rolled_back_from(self) -> str | None: ...


@dataclass(frozen=True)
class BlockingProblem:
    """One reason why a build is held back: its code in the runbook, what happened, and the next step. Its text is masked."""

    code: Code
    description: str
    next_step: str

    def __str__(self) -> str:
        return masked(f"{self.code}: {self.description}. {self.next_step}. See {self.code.page}")


@dataclass(frozen=True)
class GateResult:
    """The decision: problems that block, `warnings` (failed checks that do not), `overridden` problems that a person waived."""

    blocking_problems: tuple[BlockingProblem, ...]
    warnings: tuple[CheckResult, ...]
    overridden: tuple[BlockingProblem, ...] = ()

    @property
    def may_publish(self) -> bool:
        return not self.blocking_problems


def evaluate_gate(
    expected_checks: Iterable[str],
    recorded: Iterable[CheckResult],
    files: Iterable[FileFacts],
    max_rejected_share: float,
    min_rejected_rows: int,
    *,
    withdrawal: Withdrawal | None = None,
    overridden: Collection[str] = (),
) -> GateResult:
    """Decides on a candidate by its expected checks, recorded results, all files, its rollback (`withdrawal`) and
    `overridden` texts.

    Rows of a log-day in quarantine block above `max_rejected_share` (0 to 1) of its records, if they are at least
    `min_rejected_rows`. Unless the share is 1, so do more than half of a log-day's records, and a file without an accepted
    row if it rejected more than half of its records. Conflicting rows block like rows in quarantine, as a share of the
    accepted rows.
    """
    results = {result.name: result for result in recorded}
    failed = [result for result in results.values() if not result.passed]
    files = list(files)
    problems = [
        *_refused_files(files),
        *_files_without_rows(files, max_rejected_share),
        *_rejected_rows(files, max_rejected_share, min_rejected_rows),
        *_key_conflicts(files, max_rejected_share, min_rejected_rows),
        *_checks(set(expected_checks) - set(results), (result for result in failed if result.is_blocking)),
        *_withdrawn(withdrawal),
    ]
    return GateResult(
        blocking_problems=tuple(problem for problem in problems if str(problem) not in overridden),
        warnings=tuple(result for result in failed if not result.is_blocking),
        overridden=tuple(problem for problem in problems if str(problem) in overridden),
    )


def was_fully_checked(expected_checks: Iterable[str], recorded: Iterable[CheckResult]) -> bool:
    """Whether every expected check of a build has a result and no blocking check failed."""
    results = list(recorded)
    is_failed = any(result.is_blocking and not result.passed for result in results)
    return not is_failed and {result.name for result in results} >= set(expected_checks)


def _refused_files(files: Iterable[FileFacts]) -> Iterable[BlockingProblem]:
    for file in files:
        if file.refusal and not file.is_accepted:
            name = f"{file.log}/{file.source_file}"
            yield BlockingProblem(
                Code.FILE_REFUSED, f"{name}: {file.refusal}", f"Fix the file and drop it again, or {_accept(file)}"
            )


def _files_without_rows(files: Iterable[FileFacts], max_share: float) -> Iterable[BlockingProblem]:
    """Files without an accepted row that rejected most of their records. A broken record of a large file that feeds several
    logs is rejected in each of them, also where no other record is selected.
    """
    for file in files:
        is_mostly_rejected = file.rejected > file.not_selected and not file.accepted
        if is_mostly_rejected and not file.is_accepted and max_share < 1:
            yield BlockingProblem(
                Code.FILE_WITHOUT_ROWS,
                f"{file.log}/{file.source_file}: none of its {_rows(file.rejected)} was accepted{_not_selected(file)}",
                f"For the reasons: sendmart quarantine list {file.log}. Fix the file and drop it again, or {_accept(file)}",
            )


def _rejected_rows(files: Iterable[FileFacts], max_share: float, min_rows: int) -> Iterable[BlockingProblem]:
    """Log-days with too many rows in quarantine. Rejected rows of accepted files do not count."""
    for log, day, day_files in _log_days(files):
        open_files = [file for file in day_files if file.rejected and not file.is_accepted]
        rejected = sum(file.rejected for file in open_files)
        records = sum(file.accepted + file.rejected + file.not_selected for file in day_files)
        noun = "records" if any(file.not_selected for file in day_files) else "rows"
        is_most_of_the_day = max_share < 1 and rejected * 2 > records
        if is_most_of_the_day or _is_too_much(rejected, records, max_share, min_rows):
            yield BlockingProblem(
                Code.ROWS_REJECTED,
                f"{log} of {day}: {rejected} of {records} {noun} are in quarantine ({_names(open_files)})",
                f"See published/quarantine.duckdb. Fix the file and drop it again, or {_accept(open_files[0])}",
            )


def _key_conflicts(files: Iterable[FileFacts], max_share: float, min_rows: int) -> Iterable[BlockingProblem]:
    """Log-days with too many conflicting rows. Those of accepted files do not count."""
    for log, day, day_files in _log_days(files):
        open_files = [file for file in day_files if file.conflicting and not file.is_accepted]
        conflicting = sum(file.conflicting for file in open_files)
        accepted = sum(file.accepted for file in day_files)
        if _is_too_much(conflicting, accepted, max_share, min_rows):
            key = CONTACT_KEYS[Log(log)]
            yield BlockingProblem(
                Code.KEY_CONFLICTS,
                f"{log} of {day}: {conflicting} of {accepted} accepted rows have the {key.column} of rows with another"
                f" {' or '.join(key.same)} ({_names(open_files)})",
                "See key_conflicts in published/quarantine.duckdb. Fix the file and drop it again, or"
                f" {_accept(open_files[0])}",
            )


def _log_days(files: Iterable[FileFacts]) -> Iterable[tuple[str, date, list[FileFacts]]]:
    """The files that were not refused, by log-day, in the order of dates and logs."""
    files_by_day: dict[tuple[date, str], list[FileFacts]] = defaultdict(list)
    for file in files:
        if not file.refusal:
            files_by_day[file.log_date, file.log].append(file)
    for (day, log), day_files in sorted(files_by_day.items()):
        yield log, day, day_files


def _is_too_much(number: int, total: int, max_share: float, min_rows: int) -> bool:
    return number > 0 and number >= min_rows and number / total > max_share


def _names(files: list[FileFacts]) -> str:
    return _join_first([f"{file.log}/{file.source_file}" for file in files], 3)


def _join_first(names: list[str], limit: int) -> str:
    """The first names, separated by commas; `…` stands for the others."""
    return ", ".join([*names[:limit], "…"] if len(names) > limit else names)


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number:,} rows"


def _not_selected(file: FileFacts) -> str:
    records = "1 record was" if file.not_selected == 1 else f"{file.not_selected:,} records were"
    return f", and {records} not selected" if file.not_selected else ""


def _accept(file: FileFacts) -> str:
    """The command that waives the problems in a file."""
    return f'accept it: sendmart accept {quote(f"{file.log}/{file.source_file}")} --reason "…"'


def _checks(missing: set[str], failed: Iterable[CheckResult]) -> Iterable[BlockingProblem]:
    if missing:
        yield BlockingProblem(
            Code.CHECK_MISSING,
            f"{len(missing)} checks did not run on this build ({_join_first(sorted(missing), 5)})",
            "Run: sendmart refresh. If they are missing again, see the audit step in Dagster",
        )
    for result in sorted(failed, key=lambda result: result.name):
        description = f"{result.name}: {result.detail or 'failed'}"
        yield BlockingProblem(Code.CHECK_FAILED, description, "The candidate's marts are in warehouse/candidate.duckdb")


def _withdrawn(withdrawal: Withdrawal | None) -> Iterable[BlockingProblem]:
    if withdrawal:
        yield BlockingProblem(
            Code.BUILD_WITHDRAWN,
            f"it has the same files, settings and models as build {withdrawal.rolled_back_from}, which was rolled back"
            f" to build {withdrawal.build_id} at {withdrawal.published_at:%Y-%m-%d %H:%M:%S} UTC",
            'Fix the cause and run: sendmart refresh; or publish it again: sendmart publish --override "…"',
        )
