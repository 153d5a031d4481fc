"""The gate: whether a candidate may be published, decided from recorded facts alone.

It trusts neither the order in which things ran nor that they ran: a check that should have been recorded for this build
and was not, holds the build back like one that failed. What a person overrode of one build is that: the holds as they
were shown. Another hold of the same build, or the same of another build, holds back.

Not here: carrying checks out (`quality.audit`, dbt), recording them (`warehouse.ledger`), publishing.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from shlex import quote
from typing import Protocol

from models.check_results import CheckResult
from models.error_codes import Code
from models.masking import masked


class FileFacts(Protocol):
    """What is noted of a log file that was loaded."""

    log: str
    source_file: str
    log_date: date
    refusal: str | None
    records: int
    rejected: int
    is_accepted: bool


class Withdrawal(Protocol):
    """A person went back from a build, or one made of the same, to `build_id`."""

    build_id: str
    published_at: datetime
    went_back_from: str | None


@dataclass(frozen=True)
class Hold:
    """One reason why a build is held back: a code of the runbook, what was found, and what to do about it.

    In words, numbers are masked: the ledger and Dagster's history keep them, and names of files may hold one.
    """

    code: Code
    found: str
    next_step: str

    def __str__(self) -> str:
        return masked(f"{self.code}: {self.found}. {self.next_step}. See {self.code.page}")


@dataclass(frozen=True)
class Verdict:
    """`holds` is empty for a build that may be published; `warnings` are failed checks that do not hold it back;
    `overridden` would, had a person not said that it be published all the same.
    """

    holds: tuple[Hold, ...]
    warnings: tuple[CheckResult, ...]
    overridden: tuple[Hold, ...] = ()

    @property
    def may_publish(self) -> bool:
        return not self.holds


def evaluate_gate(
    expected_checks: Iterable[str],
    recorded: Iterable[CheckResult],
    files: Iterable[FileFacts],
    max_rejected_share: float,
    min_rejected_rows: int,
    *,
    withdrawal: Withdrawal | None = None,
    overridden: Collection[str] = (),
) -> Verdict:
    """The verdict on a candidate.

    Args:
        expected_checks: the names of the checks that the build must have been held to.
        recorded: the results recorded for this build.
        files: every file that was loaded or refused.
        max_rejected_share: the share of a log-day's records in quarantine above which it holds back (0 to 1) ...
        min_rejected_rows: ... where at least this many of them are.
        withdrawal: that a person went back from what the candidate is, if so.
        overridden: the texts of the holds of this build that a person overrode.
    """
    results = {result.name: result for result in recorded}
    files = list(files)
    holds = [
        *_refused_files(files),
        *_rejected_rows(files, max_rejected_share, min_rejected_rows),
        *_missing_checks(set(expected_checks) - set(results)),
        *_failed_checks(result for result in results.values() if result.is_blocking and not result.passed),
        *_withdrawn(withdrawal),
    ]
    warnings = [result for result in results.values() if not result.is_blocking and not result.passed]
    return Verdict(
        tuple(hold for hold in holds if str(hold) not in overridden),
        tuple(warnings),
        tuple(hold for hold in holds if str(hold) in overridden),
    )


def was_fully_checked(expected_checks: Iterable[str], recorded: Iterable[CheckResult]) -> bool:
    """Whether every check of a build was carried out, and none that blocks failed."""
    results = {result.name: result for result in recorded}
    return results.keys() >= set(expected_checks) and all(
        result.passed or not result.is_blocking for result in results.values()
    )


def _refused_files(files: Iterable[FileFacts]) -> Iterable[Hold]:
    for file in files:
        if file.refusal and not file.is_accepted:
            name = f"{file.log}/{file.source_file}"
            yield Hold(
                Code.FILE_REFUSED,
                f"{name}: {file.refusal}",
                f'Drop it again, mended, or accept it: sendmart accept {quote(name)} --reason "…"',
            )


def _rejected_rows(files: Iterable[FileFacts], max_share: float, min_rows: int) -> Iterable[Hold]:
    """Log-days with too many rows in quarantine; rows of accepted files are not held against their day."""
    days: dict[tuple[str, date], list[FileFacts]] = defaultdict(list)
    for file in files:
        if not file.refusal:
            days[file.log, file.log_date].append(file)
    for (log, day), of_day in sorted(days.items(), key=lambda item: (item[0][1], item[0][0])):
        records = sum(file.records for file in of_day)
        open_files = [file for file in of_day if file.rejected and not file.is_accepted]
        rejected = sum(file.rejected for file in open_files)
        if rejected and rejected >= min_rows and rejected / records > max_share:
            names = ", ".join(f"{log}/{file.source_file}" for file in open_files[:3])
            yield Hold(
                Code.ROWS_REJECTED,
                f"{log} of {day}: {rejected} of {records} rows are in quarantine ({names}{', …' * (len(open_files) > 3)})",
                "See published/quarantine.duckdb; drop the file again, mended, or accept what was found:"
                f' sendmart accept {quote(f"{log}/{open_files[0].source_file}")} --reason "…"',
            )


def _missing_checks(missing: set[str]) -> Iterable[Hold]:
    if missing:
        shown = ", ".join(sorted(missing)[:5])
        yield Hold(
            Code.CHECK_MISSING,
            f"{len(missing)} checks were not carried out on this build ({shown}{', …' * (len(missing) > 5)})",
            "Refresh again; if they stay missing, look at the audit's step in Dagster",
        )


def _failed_checks(failed: Iterable[CheckResult]) -> Iterable[Hold]:
    for result in sorted(failed, key=lambda result: result.name):
        yield Hold(
            Code.CHECK_FAILED,
            f"{result.name}: {result.detail or 'failed'}",
            "The candidate can be looked at in warehouse/candidate.duckdb",
        )


def _withdrawn(withdrawal: Withdrawal | None) -> Iterable[Hold]:
    if withdrawal:
        yield Hold(
            Code.BUILD_WITHDRAWN,
            f"made of the same files, settings and models as build {withdrawal.went_back_from}, which somebody went back"
            f" from at {withdrawal.published_at:%Y-%m-%d %H:%M:%S} UTC, to build {withdrawal.build_id}",
            'Mend what was wrong, then: sendmart refresh; or publish it again: sendmart publish --accept "…"',
        )
