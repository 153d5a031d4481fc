"""StagedBatch: what log files give, read, judged and written aside, before anything of it is in place.

Small files share a batch and a large file takes many, so that neither costs more than its rows. Nothing here knows the
ledger or moves a file: of a load, any number of processes may make drafts at once (`warehouse.ingest.workers`).

Not here: how drafts are put in place (`warehouse.ingest.load`), how a row is judged: that is given in as a function
(`quality.admission.judge`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import polars as pl
import pyarrow as pa

from models.enums import Log
from models.logs import COLUMNS, EVENT_TIME
from models.masking import sanitize
from warehouse.config import DataPaths
from warehouse.ingest.readers import open_records
from warehouse.ingest.readers.records import Fault, Layout, ReconciliationError, Records, RefusedFile
from warehouse.lake import tables as lake_tables
from warehouse.landing import FileStat, LandingFile
from warehouse.ledger import Erased
from warehouse.privacy import ErasureIndex
from warehouse.storage import hash_of

ROWS_PER_BATCH = 250_000
REASONS = pa.large_list(pa.large_string())


class ValidationResult(Protocol):
    """What a judge finds in a batch: its rows typed, and for those rejected `index` and `reasons`."""

    rows: pl.DataFrame
    reasons: pl.DataFrame


Validator = Callable[[Log, pl.DataFrame, Sequence[Fault]], ValidationResult]


@dataclass(frozen=True)
class StagedFile:
    """What a log file gives, or why it is refused: then it gives nothing. `stamp` and `sha256` are of what was read."""

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
    """StagedBatch that came together, and the numbers of erased contacts that were found in the making."""

    files: list[StagedFile]
    found_numbers: list[Erased]


@dataclass(frozen=True)
class StagingJob:
    """How a load makes drafts. `load` names it: what it writes aside is never what another load does."""

    paths: DataPaths
    validate: Validator
    load: str
    batch_rows: int = ROWS_PER_BATCH
    erased: ErasureIndex | None = None
    """Who was erased: rows get tokens."""

    def stage(self, files: Iterable[LandingFile]) -> Iterator[StagedBatch]:
        """StagedBatch of files of one log, as they are finished; none of a file that vanishes while it is read.

        To be closed by whoever does not go on to the end: what is unfinished is then forgotten.

        Raises:
            ReconciliationError: accepted and rejected rows of a file do not add up to its records.
        """
        work = _Work(self)
        try:
            for file in files:
                yield from work.take(file)
            yield from work.judge_pending()
        except BaseException:
            work.discard()
            raise


@dataclass
class _OpenFile:
    """A file whose records are on their way."""

    file: LandingFile
    stat: FileStat
    accepted: lake_tables.RowWriter
    rejected: lake_tables.RowWriter
    sha256: str = ""
    records: int = 0
    first_event: object = None
    last_event: object = None
    unknown_columns: set[str] = field(default_factory=set)
    is_read: bool = False
    is_gone: bool = False


class _Work:
    def __init__(self, how: StagingJob) -> None:
        self._how = how
        self._open: list[_OpenFile] = []
        self._pending: list[tuple[_OpenFile, Records]] = []
        self._pending_rows = 0

    def take(self, file: LandingFile) -> Iterator[StagedBatch]:
        """Reads a file; its rows are judged when enough have come together."""
        paths, load = self._how.paths, self._how.load
        try:
            opened = _OpenFile(
                file,
                file.stat(),
                lake_tables.accepted_writer(paths, file, load),
                lake_tables.rejected_writer(paths, file, load),
            )
        except FileNotFoundError:
            return
        self._open.append(opened)
        try:
            for records in _read(paths, opened):
                self._pending.append((opened, records))
                self._pending_rows += records.text.height
                if self._pending_rows >= self._how.batch_rows:
                    yield from self.judge_pending()
            opened.is_read = True
        except RefusedFile as refusal:
            self._discard(opened)
            yield self._batch([self._refused(opened, str(refusal))])
        except _VanishedFile:
            self._discard(opened)

    def judge_pending(self) -> Iterator[StagedBatch]:
        """Judges the records that have come together, and gives the files that are now whole."""
        pending = [(opened, records) for opened, records in self._pending if not opened.is_gone]
        self._pending, self._pending_rows = [], 0
        last_records = {id(opened): records for opened, records in pending}
        if pending:
            log = pending[0][0].file.log
            faults, start = [], 0
            for _, records in pending:
                faults += [Fault(start + fault.index, fault.column, fault.rule) for fault in records.faults]
                start += records.text.height
            judgement = self._how.validate(log, pl.concat([records.text for _, records in pending]), faults)
            erased = self._how.erased
            rows = erased.rows(log, judgement.rows) if erased else judgement.rows
            start = 0
            for opened, records in pending:
                self._route(opened, records, rows, judgement.reasons, start)
                start += records.text.height
                if opened.is_read and records is last_records[id(opened)]:
                    # Thousands of small files share a batch, and a process may not hold that many open.
                    opened.accepted.finish()
                    opened.rejected.finish()
        whole = [_whole(opened) for opened in self._open if opened.is_read and not opened.is_gone]
        if whole:
            yield self._batch(whole)
        self._open = [opened for opened in self._open if not opened.is_read and not opened.is_gone]

    def discard(self) -> None:
        """Forgets what was written of files that are not in place yet."""
        for unfinished in self._open:
            unfinished.accepted.discard()
            unfinished.rejected.discard()

    def _route(
        self, opened: _OpenFile, records: Records, judged: pl.DataFrame, reasons: pl.DataFrame, start: int
    ) -> None:
        """Writes a file's share of a judged batch: what is accepted for the lake, what is rejected for quarantine."""
        height = records.text.height
        lineage = [
            pl.lit(opened.file.source_file).alias("source_file"),
            records.row_numbers.alias("row_number"),
        ]
        rows = judged.slice(start, height).with_columns(lineage)
        rejected = reasons.filter(pl.col("index").is_between(start, start + height - 1))
        indices = (rejected["index"] - start).to_list()
        if indices:
            is_accepted = pl.Series([True]).new_from_index(0, height).scatter(indices, False)
            rows = rows.filter(is_accepted)
        opened.accepted.write(rows)
        opened.rejected.write(_rejected_rows(opened, records, indices, rejected["reasons"].to_list(), self._how.erased))
        opened.rejected.header = records.header
        opened.records += records.count
        opened.unknown_columns |= records.unknown_columns
        if rows.height:
            events = rows[EVENT_TIME[opened.file.log]]
            opened.first_event = min(filter(None, (opened.first_event, events.min())))
            opened.last_event = max(filter(None, (opened.last_event, events.max())))

    def _discard(self, opened: _OpenFile) -> None:
        opened.is_gone = True
        opened.accepted.discard()
        opened.rejected.discard()

    def _refused(self, opened: _OpenFile, reason: str) -> StagedFile:
        paths, file, load = self._how.paths, opened.file, self._how.load
        return StagedFile(
            file,
            opened.stat,
            opened.sha256,
            lake_tables.accepted_writer(paths, file, load).finish(),
            lake_tables.rejected_writer(paths, file, load).finish(),
            refusal=sanitize(reason),
            unknown_columns=_printable(opened.unknown_columns),
        )

    def _batch(self, drafts: list[StagedFile]) -> StagedBatch:
        return StagedBatch(drafts, self._how.erased.take_found() if self._how.erased else [])


class _VanishedFile(Exception):
    """A file that was there when the landing zone was looked at, and is no longer."""


def _read(paths: DataPaths, opened: _OpenFile) -> Iterator[Records]:
    """The records of a file, after its hash. A generator, so that only what goes wrong in reading is put down to the file.

    Raises:
        RefusedFile: it cannot be taken as a whole, or the system does not let it be read: then something else stands for
            its hash, and its stamp is noted as one not to be trusted, so that each refresh tries again.
        _VanishedFile: it has gone, or, an object, is another by now.
    """
    columns = COLUMNS[opened.file.log]
    layout = Layout(
        tuple(column.name for column in columns),
        tuple(column.name for column in columns if column.must_be_in_file),
    )
    try:
        object_info = opened.file.object_info
        with paths.local_copy(opened.file.path, object_info and object_info.tag) as file:
            opened.sha256 = hash_of(file)
            yield from open_records(file, layout)
    except FileNotFoundError as error:
        raise _VanishedFile from error
    except OSError as error:
        opened.sha256 = opened.stat.hash_placeholder
        opened.stat = replace(opened.stat, observed_ns=0)
        why = error.strerror or type(error).__name__
        raise RefusedFile(f"cannot be read: {why}; each refresh tries again") from error


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
            # Through Arrow: polars would make a series of each of the lists, at kilobytes apiece.
            "reasons": pl.Series(pa.array(reasons + [list(broken.reasons) for broken in records.broken], REASONS)),
            "raw_row": [lake_tables.cut_raw_row(erased.raw_row(row) if erased else row) for row in raw],
        },
        schema=lake_tables.QUARANTINE_SCHEMA,
    ).sort("row_number")


def _whole(opened: _OpenFile) -> StagedFile:
    """The draft of a file of which the last record was judged.

    Raises:
        ReconciliationError: its rows do not add up.
    """
    accepted, rejected = opened.accepted.finish(), opened.rejected.finish()
    if accepted.rows + rejected.rows != opened.records:
        raise ReconciliationError(
            f"{opened.file.log}/{opened.file.source_file}: {opened.records} records, but"
            f" {accepted.rows} accepted and {rejected.rows} rejected; nothing was taken of it"
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
