"""Staging: log files are read and validated, and their rows are written to temporary files.

Small files share a batch and a large file takes many, so that the cost depends on the number of rows only. Staging neither
uses the ledger nor replaces a file, so any number of processes can stage files of the same load
(`warehouse.ingest.workers`).

Not here: committing staged files (`warehouse.ingest.load`), the validation of rows, which is passed in as a function
(`quality.admission.validate`).
"""

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import cast

import polars as pl
import pyarrow as pa

from models.enums import Log
from models.logs import COLUMNS, EVENT_TIME
from models.masking import sanitize
from models.rejections import UnreadableValue, ValidationResult
from warehouse.config import DataPaths
from warehouse.ingest.readers import open_records
from warehouse.ingest.readers.records import Layout, ReconciliationError, Records, RefusedFile
from warehouse.lake import tables as lake_tables
from warehouse.landing import LandingFile
from warehouse.ledger import Erased
from warehouse.privacy import ErasureIndex
from warehouse.storage import FileStat, hash_of

ROWS_PER_BATCH = 250_000
REASONS = pa.large_list(pa.large_string())


Validator = Callable[[Log, pl.DataFrame, Sequence[UnreadableValue]], ValidationResult]


@dataclass(frozen=True)
class StagedFile:
    """The staged rows of a log file, or the reason it is refused, then without rows. `stat` and `sha256` are of the content
    that was read.
    """

    file: LandingFile
    stat: FileStat
    sha256: str
    accepted: lake_tables.StagedParquet
    rejected: lake_tables.StagedParquet
    refusal: str | None = None
    records: int = 0
    first_event: str | None = None
    last_event: str | None = None
    unknown_columns: tuple[str, ...] = ()

    def discard(self) -> None:
        self.accepted.discard()
        self.rejected.discard()


@dataclass(frozen=True)
class StagedBatch:
    """Files that were staged together, and newly found numbers of erased contacts."""

    files: list[StagedFile]
    erased_numbers: list[Erased]


@dataclass(frozen=True)
class StagingJob:
    """The parameters of a load: where it writes, how it validates, how many rows share a batch."""

    paths: DataPaths
    validate: Validator
    erased: ErasureIndex | None = None
    """The erased contacts and numbers: rows get their tokens instead."""
    batch_rows: int = ROWS_PER_BATCH
    load_id: str = field(default_factory=lambda: secrets.token_hex(4))
    """Part of the names of temporary files, so that two loads never share one."""

    def stage(self, files: Iterable[LandingFile]) -> Iterator[StagedBatch]:
        """Stages files of one log and yields them in batches as they are finished; skips a file that disappears meanwhile.

        A caller that stops early must close the iterator, which deletes the temporary files of unfinished log files.

        Raises:
            ReconciliationError: the accepted and rejected rows of a file do not add up to its records.
        """
        stager = _Stager(self)
        try:
            for file in files:
                yield from stager.read(file)
            yield from stager.validate_pending()
        except BaseException:
            stager.discard()
            raise

    def discard_temp_files(self, file: LandingFile) -> None:
        """Deletes the temporary files of a log file whose worker process died."""
        lake_tables.discard_temp_files(self.paths, file, self.load_id)


@dataclass
class _OpenFile:
    """A log file that is being staged."""

    file: LandingFile
    stat: FileStat
    accepted: lake_tables.RowWriter
    rejected: lake_tables.RowWriter
    sha256: str = ""
    records: int = 0
    first_event: datetime | date | None = None
    last_event: datetime | date | None = None
    unknown_columns: set[str] = field(default_factory=set)
    is_read: bool = False
    is_discarded: bool = False


class _Stager:
    """Stages the files of one job: collects records of several files, validates them together, writes them by file."""

    def __init__(self, job: StagingJob) -> None:
        self._job = job
        self._open: list[_OpenFile] = []
        self._pending: list[tuple[_OpenFile, Records]] = []
        self._pending_rows = 0

    def read(self, file: LandingFile) -> Iterator[StagedBatch]:
        """Reads a file; its records are validated once a batch is full."""
        paths, load_id = self._job.paths, self._job.load_id
        try:
            opened = _OpenFile(
                file,
                file.stat(),
                lake_tables.accepted_writer(paths, file, load_id),
                lake_tables.rejected_writer(paths, file, load_id),
            )
        except FileNotFoundError:
            return
        self._open.append(opened)
        try:
            for records in _read(paths, opened):
                self._pending.append((opened, records))
                self._pending_rows += records.text.height
                if self._pending_rows >= self._job.batch_rows:
                    yield from self.validate_pending()
            opened.is_read = True
        except RefusedFile as refusal:
            self._discard(opened)
            yield self._batch([self._refused(opened, str(refusal))])
        except _VanishedFile:
            self._discard(opened)

    def validate_pending(self) -> Iterator[StagedBatch]:
        """Validates the collected records, and yields the files that are now complete."""
        pending = [(opened, records) for opened, records in self._pending if not opened.is_discarded]
        self._pending, self._pending_rows = [], 0
        last_records = {id(opened): records for opened, records in pending}
        if pending:
            log = pending[0][0].file.log
            faults, start = [], 0
            for _, records in pending:
                faults += [UnreadableValue(start + fault.index, fault.column, fault.rule) for fault in records.faults]
                start += records.text.height
            validated = self._job.validate(log, pl.concat([records.text for _, records in pending]), faults)
            erased = self._job.erased
            rows = erased.erase_rows(log, validated.rows) if erased else validated.rows
            start = 0
            for opened, records in pending:
                self._route(opened, records, rows, validated.reasons, start)
                start += records.text.height
                if opened.is_read and records is last_records[id(opened)]:
                    # Thousands of small files share a batch: more than a process may keep open.
                    opened.accepted.finish()
                    opened.rejected.finish()
        complete = [_complete(opened) for opened in self._open if opened.is_read and not opened.is_discarded]
        if complete:
            yield self._batch(complete)
        self._open = [opened for opened in self._open if not opened.is_read and not opened.is_discarded]

    def discard(self) -> None:
        """Deletes the temporary files of unfinished log files."""
        for unfinished in self._open:
            unfinished.accepted.discard()
            unfinished.rejected.discard()

    def _route(
        self, opened: _OpenFile, records: Records, validated: pl.DataFrame, reasons: pl.DataFrame, start: int
    ) -> None:
        """Writes a file's share of a validated batch: accepted rows for the lake, rejected ones for the quarantine."""
        height = records.text.height
        lineage = [
            pl.lit(opened.file.source_file).alias("source_file"),
            records.row_numbers.alias("row_number"),
        ]
        rows = validated.slice(start, height).with_columns(lineage)
        rejected = reasons.filter(pl.col("index").is_between(start, start + height - 1))
        indices = (rejected["index"] - start).to_list()
        if indices:
            is_accepted = pl.Series([True]).new_from_index(0, height).scatter(indices, False)
            rows = rows.filter(is_accepted)
        opened.accepted.write(rows)
        opened.rejected.write(_rejected_rows(opened, records, indices, rejected["reasons"].to_list(), self._job.erased))
        opened.rejected.header = records.header
        opened.records += records.count
        opened.unknown_columns |= records.unknown_columns
        if rows.height:
            events = rows[EVENT_TIME[opened.file.log]]
            first, last = cast(datetime, events.min()), cast(datetime, events.max())
            opened.first_event = first if opened.first_event is None else min(opened.first_event, first)
            opened.last_event = last if opened.last_event is None else max(opened.last_event, last)

    def _discard(self, opened: _OpenFile) -> None:
        opened.is_discarded = True
        opened.accepted.discard()
        opened.rejected.discard()

    def _refused(self, opened: _OpenFile, reason: str) -> StagedFile:
        paths, file, load_id = self._job.paths, opened.file, self._job.load_id
        return StagedFile(
            file,
            opened.stat,
            opened.sha256,
            lake_tables.accepted_writer(paths, file, load_id).finish(),
            lake_tables.rejected_writer(paths, file, load_id).finish(),
            refusal=sanitize(reason),
            unknown_columns=_printable(opened.unknown_columns),
        )

    def _batch(self, files: list[StagedFile]) -> StagedBatch:
        return StagedBatch(files, self._job.erased.take_new_numbers() if self._job.erased else [])


class _VanishedFile(Exception):
    """A file disappeared after the landing zone was scanned."""


def _read(paths: DataPaths, opened: _OpenFile) -> Iterator[Records]:
    """Hashes a file and yields its records. A generator, so that only errors of reading are attributed to the file.

    Raises:
        RefusedFile: the file is invalid as a whole, or cannot be read: then it gets a placeholder hash and a stat that is
            never trusted, so that each refresh tries again.
        _VanishedFile: the file is gone, or the object was replaced.
    """
    columns = COLUMNS[opened.file.log]
    layout = Layout(
        tuple(column.name for column in columns),
        tuple(column.name for column in columns if column.must_be_in_file),
    )
    try:
        info = opened.file.object_info
        with paths.local_copy(opened.file.path, info.tag if info else None) as file:
            opened.sha256 = hash_of(file)
            yield from open_records(file, layout)
    except FileNotFoundError as error:
        raise _VanishedFile from error
    except OSError as error:
        opened.sha256 = opened.stat.hash_placeholder
        opened.stat = replace(opened.stat, observed_ns=0)
        reason = error.strerror or type(error).__name__
        raise RefusedFile(f"cannot be read: {reason}; each refresh tries again") from error


def _rejected_rows(
    opened: _OpenFile,
    records: Records,
    indices: list[int],
    reasons: list[list[str]],
    erased: ErasureIndex | None,
) -> pl.DataFrame:
    numbers = records.row_numbers.gather(indices).to_list() + [broken.row_number for broken in records.broken]
    raw = records.raw(indices) + [broken.raw for broken in records.broken]
    if not numbers:
        return pl.DataFrame(schema=lake_tables.QUARANTINE_SCHEMA)
    return pl.DataFrame(
        {
            "source_file": [opened.file.source_file] * len(numbers),
            "row_number": numbers,
            # Through Arrow: polars would create a series of some kilobytes for each list.
            "reasons": pl.Series(pa.array(reasons + [list(broken.reasons) for broken in records.broken], REASONS)),
            "raw_row": [lake_tables.cut_raw_row(erased.erase_raw_row(row) if erased else row) for row in raw],
        },
        schema=lake_tables.QUARANTINE_SCHEMA,
    ).sort("row_number")


def _complete(opened: _OpenFile) -> StagedFile:
    """The staged file after its last record was validated.

    Raises:
        ReconciliationError: its rows do not add up to its records.
    """
    accepted, rejected = opened.accepted.finish(), opened.rejected.finish()
    if accepted.rows + rejected.rows != opened.records:
        raise ReconciliationError(
            f"{opened.file.log}/{opened.file.source_file}: {opened.records} records, but"
            f" {accepted.rows} accepted and {rejected.rows} rejected; the file is not loaded"
        )
    return StagedFile(
        opened.file,
        opened.stat,
        opened.sha256,
        accepted,
        rejected,
        records=opened.records,
        first_event=str(opened.first_event) if opened.first_event else None,
        last_event=str(opened.last_event) if opened.last_event else None,
        unknown_columns=_printable(opened.unknown_columns),
    )


def _printable(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({sanitize(name) for name in names}))
