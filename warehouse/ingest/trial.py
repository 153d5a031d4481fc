"""A trial: one file is read, mapped and validated as a load would do it, without a data folder. Nothing is written.

Not here: how a trial is printed (`orchestration.cli.output.trial`).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import polars as pl

from models.enums import Log
from models.rejections import UnreadableValue, ValidationResult, without_values
from models.source_mapping import FILE_DATE, Source
from warehouse.ingest.readers.records import MAX_UNKNOWN_COLUMNS, Records, RefusedFile
from warehouse.ingest.rows import rows_of
from warehouse.ingest.sources import fields_of_log
from warehouse.ledger import now

MAX_FAULTS = 100
"""Rejected records that are kept; all of them are counted."""
_MAX_REASONS = 1_000
"""Different reasons that are counted one by one: the keys of JSON objects can be part of them."""

Validator = Callable[[Log, pl.DataFrame, Sequence[UnreadableValue]], ValidationResult]


@dataclass(frozen=True)
class Fault:
    """A record that is rejected: its place in the file, every reason, and its text."""

    row_number: int
    reasons: tuple[str, ...]
    raw_row: str


@dataclass(frozen=True)
class Sample:
    """An accepted row: its place in the file, its text there, and its values by column."""

    row_number: int
    raw_row: str
    values: dict[str, str]


@dataclass
class Trial:
    """What a load of the file would give a log. `refusal`: why it would be refused as a whole."""

    log: Log
    records: int = 0
    accepted: int = 0
    rejected: int = 0
    not_selected: int = 0
    faults: list[Fault] = field(default_factory=list)
    """The first `MAX_FAULTS` rejected records."""
    samples: list[Sample] = field(default_factory=list)
    unknown_columns: tuple[str, ...] = ()
    refusal: str | None = None
    assumed_file_date: date | None = None
    """The date of today, where the mapping names the date of the file and its path has none."""

    _reasons: Counter[str] = field(default_factory=Counter)

    @property
    def is_accepted(self) -> bool:
        return not self.rejected and self.refusal is None

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """Every reason without values, and the number of records that have it; the most frequent first."""
        return self._reasons.most_common()

    def count_reasons(self, reasons: Iterable[str]) -> None:
        """Counts the reasons of one rejected record."""
        for reason in reasons:
            name = without_values(reason)
            is_counted = name in self._reasons or len(self._reasons) < _MAX_REASONS
            self._reasons[name if is_counted else "other reasons"] += 1


def try_file(path: Path, log: Log, source: Source | None, validate: Validator, *, samples: int) -> Trial:
    """Reads a file for a log, mapped by a source or in the log's contract; keeps the first accepted rows and the first faults."""
    trial = Trial(log)
    unknown: set[str] = set()
    mapping = source.mapping if source else None
    name = (mapping and mapping.path_below_landing(path.absolute().as_posix())) or path.as_posix()
    known_date = mapping and mapping.log_date(name)
    log_date = known_date or now().date()
    if mapping and not known_date and FILE_DATE in fields_of_log(mapping, log):
        trial.assumed_file_date = log_date
    try:
        for records in rows_of(path, log, source, name, log_date):
            unknown |= records.unknown_columns
            _add(trial, records, validate, samples)
    except RefusedFile as error:
        trial.refusal = str(error)
    except OSError as error:
        trial.refusal = f"cannot be read: {error.strerror or type(error).__name__}"
    trial.unknown_columns = tuple(sorted(unknown)[:MAX_UNKNOWN_COLUMNS])
    return trial


def _add(trial: Trial, records: Records, validate: Validator, samples: int) -> None:
    validated = validate(trial.log, records.text, records.faults)
    rejected = validated.reasons["index"].to_list()
    for reasons in [*validated.reasons["reasons"], *(broken.reasons for broken in records.broken)]:
        trial.count_reasons(reasons)
    trial.rejected += len(rejected) + len(records.broken)
    wanted = MAX_FAULTS - len(trial.faults)
    first = rejected[:wanted]
    faults = zip(
        records.row_numbers.gather(first), validated.reasons["reasons"][:wanted], records.raw(first), strict=True
    )
    of_batch = [Fault(number, tuple(reasons), raw) for number, reasons, raw in faults]
    of_batch += [Fault(broken.row_number, broken.reasons, broken.raw) for broken in records.broken]
    trial.faults += sorted(of_batch, key=lambda fault: fault.row_number)[:wanted]
    trial.records += records.count
    trial.accepted += records.text.height - len(rejected)
    trial.not_selected += records.not_selected
    is_rejected = set(rejected)
    wanted = max(0, samples - len(trial.samples))
    for index in (index for index in range(records.text.height) if index not in is_rejected):
        if wanted == 0:
            break
        wanted -= 1
        row = validated.rows.row(index, named=True)
        values = {name: str(value) for name, value in row.items() if value is not None}
        trial.samples.append(Sample(records.row_numbers[index], records.raw([index])[0], values))
