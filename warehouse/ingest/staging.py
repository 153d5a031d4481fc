"""Staging: log files are read and validated, and their rows are written to temporary files.

Small files share a batch and a large file takes many, so that the cost depends on the number of rows only. Staging neither
uses the ledger nor replaces a file, so any number of threads can stage files of the same load.

Not here: committing staged files (`warehouse.ingest.load`), the rules for rows (`quality.admission`).
"""

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Any

import polars as pl
import pyarrow as pa
from polars.exceptions import PanicException

from models.enums import Log
from models.logs import EVENT_TIME
from models.masking import masking_logger, sanitize
from models.rejections import ERASED_RAW_ROW, UnreadableValue, ValidationResult, erase_reasons
from warehouse.config import DataPaths
from warehouse.ingest.readers.records import MAX_UNKNOWN_COLUMNS, ReconciliationError, Records, RefusedFile
from warehouse.ingest.rows import rows_of
from warehouse.lake import tables as lake_tables
from warehouse.landing import LandingFile
from warehouse.ledger import Erased, LoadedFile
from warehouse.privacy import ErasureIndex
from warehouse.storage import FileStat, ObjectStoreFailed, hash_of

ROWS_PER_BATCH = 250_000
BYTES_PER_BATCH = 128 << 20
"""Of content, as read. Long rows fill a batch before it has `ROWS_PER_BATCH` rows."""

_ERRORS_OF_A_FILE = (Exception, PanicException)
"""Whatever reading or validating a file raises refuses that file, and the others load. `OSError` of the disk is handled
before."""

REASONS = pa.large_list(pa.large_string())

log = masking_logger("sendmart")

Validator = Callable[[Log, pl.DataFrame, Sequence[UnreadableValue]], ValidationResult]


class LoadCancelled(Exception):
    """Another thread has ended the load."""


@dataclass(frozen=True)
class StagedFile:
    """The staged rows of a log file, or the reason it is refused, then without rows. `stat` is of the content that was read."""

    file: LandingFile
    stat: FileStat
    loaded: LoadedFile
    accepted: lake_tables.StagedParquet
    rejected: lake_tables.StagedParquet

    def discard(self) -> None:
        self.accepted.discard()
        self.rejected.discard()


@dataclass(frozen=True)
class StagedBatch:
    """Files that were staged together, and newly found numbers of erased contacts."""

    files: list[StagedFile]
    erased_numbers: list[Erased]

    def discard(self) -> None:
        for staged in self.files:
            staged.discard()


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
    is_cancelled: Event = field(default_factory=Event)
    """Set by another thread to end the staging before its end."""

    def stage(self, files: Iterable[LandingFile]) -> Iterator[StagedBatch]:
        """Stages files of one log and yields them in batches as they are finished; skips a file that disappears meanwhile.

        A caller that stops early must close the iterator, which deletes the temporary files of unfinished log files.

        Raises:
            ReconciliationError: the accepted and rejected rows of a file do not add up to its records.
            LoadCancelled: the job was cancelled.
        """
        stager = _Stager(self)
        try:
            for file in files:
                yield from stager.read(file)
            yield from stager.validate_pending()
        except BaseException:
            for unfinished in stager.open_files:
                unfinished.discard()
            raise


class _OpenFile:
    """A log file that is being staged: its records that are not validated yet, and the results of those that are."""

    def __init__(self, job: StagingJob, file: LandingFile) -> None:
        self.file = file
        self.stat = file.stat()
        self.sha256 = ""
        self.pending: list[Records] = []
        self.is_read = False
        self._job = job
        self._accepted, self._rejected = lake_tables.writers(job.paths, file, job.load_id)
        self._records = self._not_selected = 0
        self._event_times: list[Any] = []
        self._unknown_columns: set[str] = set()

    def read(self) -> Iterator[Records]:
        """Hashes the file and yields its records. A generator, so that only errors of reading are attributed to the file.

        If the file is gone, or the object was replaced, `is_read` stays false.

        Raises:
            RefusedFile: the file is invalid as a whole, or cannot be read.
        """
        info = self.file.object_info
        try:
            with self._job.paths.local_copy(self.file.path, info.tag if info else None) as file:
                self.sha256 = hash_of(file)
                yield from rows_of(file, self.file.log, self.file.source, self.file.path_in_landing, self.file.log_date)
            self.is_read = True
        except FileNotFoundError:
            return
        except OSError as error:
            self.distrust()
            reason = error.strerror or type(error).__name__
            raise RefusedFile(f"cannot be read: {reason}; each refresh tries again") from error
        except (RefusedFile, ObjectStoreFailed):
            raise
        except _ERRORS_OF_A_FILE as error:
            self.distrust()
            raise RefusedFile(_failure(error)) from error

    def distrust(self) -> None:
        """Gives the file a placeholder hash and a stat that is never trusted, so that each refresh tries again."""
        self.sha256 = self.stat.hash_placeholder
        self.stat = replace(self.stat, observed_ns=0)

    def write(self, records: Records, rows: pl.DataFrame, rejected: list[int], reasons: list[list[str]]) -> None:
        """Writes validated records: accepted rows for the lake, rejected ones, with these indices, for the quarantine."""
        rows = rows.with_columns(
            pl.lit(self.file.source_file).alias("source_file"), records.row_numbers.alias("row_number")
        )
        if rejected:
            is_accepted = pl.Series([True]).new_from_index(0, rows.height).scatter(rejected, False)
            rows = rows.filter(is_accepted)
        self._accepted.write(rows)
        self._rejected.write(self._rejected_rows(records, rejected, reasons))
        self._rejected.header = records.header
        self._records += records.count
        self._not_selected += records.not_selected
        self._unknown_columns |= records.unknown_columns
        if rows.height:
            events = rows[EVENT_TIME[self.file.log]]
            self._event_times += [events.min(), events.max()]

    def _rejected_rows(self, records: Records, indices: list[int], reasons: list[list[str]]) -> pl.DataFrame:
        numbers = records.row_numbers.gather(indices).to_list() + [broken.row_number for broken in records.broken]
        if not numbers:
            return pl.DataFrame(schema=lake_tables.QUARANTINE_SCHEMA)
        raw_rows = records.raw(indices) + [broken.raw for broken in records.broken]
        all_reasons = reasons + [list(broken.reasons) for broken in records.broken]
        identifiers = records.identifiers(indices) + [[] for _ in records.broken]
        if erased := self._job.erased:
            raw_rows = [erased.erase_raw_row(*row) for row in zip(raw_rows, identifiers, strict=True)]
            identifiers = [
                [] if row == ERASED_RAW_ROW else values for row, values in zip(raw_rows, identifiers, strict=True)
            ]
            all_reasons = [erase_reasons(row, reasons) for row, reasons in zip(raw_rows, all_reasons, strict=True)]
        return pl.DataFrame(
            {
                "source_file": [self.file.source_file] * len(numbers),
                "row_number": numbers,
                # Through Arrow: polars would create a series of some kilobytes for each list.
                "reasons": pl.Series(pa.array(all_reasons, REASONS)),
                "raw_row": [lake_tables.cut_raw_row(row) for row in raw_rows],
                "identifiers": identifiers,
            },
            schema=lake_tables.QUARANTINE_SCHEMA,
        ).sort("row_number")

    def close(self) -> None:
        """Closes the temporary files after the last row."""
        self._accepted.finish()
        self._rejected.finish()

    def discard(self) -> None:
        """Deletes the temporary files, and forgets the results."""
        self._accepted.discard()
        self._rejected.discard()
        self._records, self._not_selected, self._event_times = 0, 0, []

    def finish(self, refusal: str | None = None) -> StagedFile:
        """The result after the last record was validated, or after a refusal; ReconciliationError if rows and records differ."""
        file, accepted, rejected = self.file, self._accepted.finish(), self._rejected.finish()
        if accepted.rows + rejected.rows + self._not_selected != self._records:
            not_selected = f", and {self._not_selected} not selected" if self._not_selected else ""
            raise ReconciliationError(
                f"{self._records} records, but {accepted.rows} accepted and {rejected.rows} rejected{not_selected}"
            )
        loaded = LoadedFile(
            file.log, file.source_file, file.log_date, self.sha256, refusal and sanitize(refusal),
            self._records, accepted.rows, rejected.rows,
            first_event=str(min(self._event_times)) if self._event_times else None,
            last_event=str(max(self._event_times)) if self._event_times else None,
            unknown_columns=tuple(sorted({sanitize(name) for name in self._unknown_columns})[:MAX_UNKNOWN_COLUMNS]),
            source=file.source.name if file.source else "", mapping=file.mapping_fingerprint, not_selected=self._not_selected,
        )  # fmt: skip
        return StagedFile(file, self.stat, loaded, accepted, rejected)


def _failure(error: BaseException) -> str:
    """Why a file is refused after an unforeseen error. The text of the error may quote rows, so it goes to the log only."""
    if isinstance(error, ReconciliationError):
        return f"reader failed: {error}; each refresh tries again"
    log.warning("reading or validating a file failed", exc_info=error)
    return f"reader failed: {type(error).__name__}; each refresh tries again"


class _Stager:
    """Stages the files of one job: collects records of several files, validates them together, writes them by file."""

    def __init__(self, job: StagingJob) -> None:
        self.open_files: list[_OpenFile] = []
        self._job = job
        self._pending_rows = self._pending_bytes = 0

    def read(self, file: LandingFile) -> Iterator[StagedBatch]:
        """Reads a file; its records are validated once a batch is full."""
        try:
            opened = _OpenFile(self._job, file)
        except FileNotFoundError:
            return
        self.open_files.append(opened)
        refusal = None
        try:
            for records in opened.read():
                if self._job.is_cancelled.is_set():
                    raise LoadCancelled
                opened.pending.append(records)
                self._pending_rows += records.count
                self._pending_bytes += records.size
                if self._pending_rows >= self._job.batch_rows or self._pending_bytes >= BYTES_PER_BATCH:
                    yield from self.validate_pending()
                    if opened not in self.open_files:
                        return  # refused
        except RefusedFile as error:
            refusal = str(error)
        if refusal is not None:
            yield self._batch([self._refuse(opened, refusal)])
        elif not opened.is_read:
            self.open_files.remove(opened)
            opened.discard()

    def validate_pending(self) -> Iterator[StagedBatch]:
        """Validates the collected records, and yields the files that are now complete or refused."""
        finished: list[StagedFile] = []
        try:
            self._write_validated(self.open_files)
        except OSError:
            raise  # an error of the disk that is written to
        except _ERRORS_OF_A_FILE:
            # Which file is at fault shows if each is validated by itself.
            for opened in [opened for opened in self.open_files if opened.pending]:
                try:
                    self._write_validated([opened])
                except OSError:
                    raise
                except _ERRORS_OF_A_FILE as error:
                    opened.distrust()
                    finished.append(self._refuse(opened, _failure(error)))
        for opened in [opened for opened in self.open_files if opened.is_read]:
            try:
                finished.append(opened.finish())
                self.open_files.remove(opened)
            except ReconciliationError as error:
                opened.distrust()
                finished.append(self._refuse(opened, _failure(error)))
        self._pending_rows = self._pending_bytes = 0
        if finished:
            yield self._batch(finished)

    def _write_validated(self, files: list[_OpenFile]) -> None:
        """Validates the pending records of these files together, and writes their rows."""
        pending = [records for opened in files for records in opened.pending]
        if not pending:
            return
        log = files[0].file.log
        faults, start = [], 0
        for records in pending:
            faults += [replace(fault, index=start + fault.index) for fault in records.faults]
            start += records.text.height
        validated = self._job.validate(log, pl.concat([records.text for records in pending]), faults)
        rows = self._job.erased.erase_rows(log, validated.rows) if self._job.erased else validated.rows
        start = 0
        for opened in files:
            for records in opened.pending:
                height = records.text.height
                rejected = validated.reasons.filter(pl.col("index").is_between(start, start + height - 1))
                indices = (rejected["index"] - start).to_list()
                opened.write(records, rows.slice(start, height), indices, rejected["reasons"].to_list())
                start += height
            opened.pending = []
            if opened.is_read:
                # At once: thousands of small files share a batch, more than a process may keep open.
                opened.close()

    def _refuse(self, opened: _OpenFile, reason: str) -> StagedFile:
        self.open_files.remove(opened)
        opened.discard()
        return opened.finish(reason)

    def _batch(self, files: list[StagedFile]) -> StagedBatch:
        return StagedBatch(files, self._job.erased.take_new_numbers() if self._job.erased else [])
