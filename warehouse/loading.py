"""Loading: takes log files from the landing zone into lake and quarantine, in batches of bounded size.

Small files share a batch and a large file takes many, so that neither costs more than its rows. A file's rows are put in
place when its last record was judged; a file that cannot be read is refused whole, and what it gave before goes too. The
same function serves the nightly refresh and a date loaded by hand.

Not here: which files are to be taken (`warehouse.landing`, `warehouse.ledger`), how a row is judged: that is given in as
a function (`quality.admission.judge`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Protocol

import polars as pl
import pyarrow as pa

from models.logs import COLUMNS, EVENT_TIME
from models.masking import harmless
from models.vocabulary import Log
from warehouse import changes, lake
from warehouse.contents import Content, hash_of
from warehouse.erasure.remembered import Remembered
from warehouse.landing import LandingFile, Stamp
from warehouse.ledger import Ledger, LoadedFile, now
from warehouse.object_store import Place
from warehouse.paths import DataPaths
from warehouse.readers import open_records
from warehouse.readers.records import Fault, Layout, ReconciliationError, Records, RefusedFile

ROWS_PER_BATCH = 250_000
PUT_IN_PLACE_AT_A_TIME = 16
REASONS = pa.large_list(pa.large_string())


class Judgement(Protocol):
    """What a judge finds in a batch: its rows typed, and for those rejected `index` and `reasons`."""

    rows: pl.DataFrame
    reasons: pl.DataFrame


Judge = Callable[[Log, pl.DataFrame, Sequence[Fault]], Judgement]


@dataclass
class _OpenFile:
    """A file whose records are on their way."""

    file: LandingFile
    stamp: Stamp
    accepted: lake.RowWriter
    rejected: lake.RowWriter
    sha256: str = ""
    records: int = 0
    first_event: object = None
    last_event: object = None
    unknown_columns: set[str] = field(default_factory=set)
    is_read: bool = False
    is_gone: bool = False


def load(
    paths: DataPaths,
    ledger: Ledger,
    files: Iterable[LandingFile],
    judge: Judge,
    batch_rows: int = ROWS_PER_BATCH,
    erased: Remembered | None = None,
) -> list[LoadedFile]:
    """Takes files of one log and notes them in the ledger; gives what was taken of each. Of who was `erased`, tokens.

    A file that changes or vanishes while it is read is left for the next time, with what it gave before in place.

    Raises:
        ReconciliationError: accepted and rejected rows of a file do not add up to its records; nothing of it is taken.
    """
    loader = _Loader(paths, ledger, judge, batch_rows, erased)
    try:
        for file in files:
            loader.take(file)
        return loader.finish()
    except BaseException:
        loader.discard()
        raise


class _Loader:
    def __init__(
        self, paths: DataPaths, ledger: Ledger, judge: Judge, batch_rows: int, erased: Remembered | None
    ) -> None:
        self._paths = paths
        self._ledger = ledger
        self._judge = judge
        self._batch_rows = batch_rows
        self._erased = erased
        self._open: list[_OpenFile] = []
        self._pending: list[tuple[_OpenFile, Records]] = []
        self._pending_rows = 0
        self._loaded: list[LoadedFile] = []

    def take(self, file: LandingFile) -> None:
        """Reads a file; its rows are judged when enough have come together."""
        try:
            opened = _OpenFile(
                file,
                file.stamp(),
                lake.accepted_writer(self._paths, file),
                lake.rejected_writer(self._paths, file),
            )
        except FileNotFoundError:
            return
        self._open.append(opened)
        try:
            for records in _read(self._paths, opened):
                self._pending.append((opened, records))
                self._pending_rows += records.text.height
                if self._pending_rows >= self._batch_rows:
                    self._judge_pending()
            opened.is_read = True
        except RefusedFile as refusal:
            self._refuse(opened, str(refusal))
        except _VanishedFile:
            self._let_go(opened)

    def finish(self) -> list[LoadedFile]:
        """Judges what is left and gives all files that were taken."""
        self._judge_pending()
        return self._loaded

    def discard(self) -> None:
        """Forgets what was written of files that are not in place yet."""
        for unfinished in self._open:
            unfinished.accepted.discard()
            unfinished.rejected.discard()

    def _judge_pending(self) -> None:
        """Judges the records that have come together, and puts in place the files that are now whole."""
        pending = [(opened, records) for opened, records in self._pending if not opened.is_gone]
        self._pending, self._pending_rows = [], 0
        last_records = {id(opened): records for opened, records in pending}
        if pending:
            log = pending[0][0].file.log
            faults, start = [], 0
            for _, records in pending:
                faults += [Fault(start + fault.index, fault.column, fault.rule) for fault in records.faults]
                start += records.text.height
            judgement = self._judge(log, pl.concat([records.text for _, records in pending]), faults)
            rows = self._erased.rows(log, judgement.rows) if self._erased else judgement.rows
            start = 0
            for opened, records in pending:
                self._sort_out(opened, records, rows, judgement.reasons, start)
                start += records.text.height
                if opened.is_read and records is last_records[id(opened)]:
                    # Thousands of small files share a batch, and a process may not hold that many open.
                    opened.accepted.close()
                    opened.rejected.close()
        whole = [opened for opened in self._open if opened.is_read and not opened.is_gone]
        self._put_in_place(whole)
        self._open = [opened for opened in self._open if not opened.is_read and not opened.is_gone]

    def _sort_out(
        self, opened: _OpenFile, records: Records, judged: pl.DataFrame, reasons: pl.DataFrame, start: int
    ) -> None:
        """Writes a file's share of a judged batch: what is accepted to the lake, what is rejected to quarantine."""
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
        opened.rejected.write(_rejected_rows(opened, records, indices, rejected["reasons"].to_list(), self._erased))
        opened.rejected.header = records.header
        opened.records += records.count
        opened.unknown_columns |= records.unknown_columns
        if rows.height:
            events = rows[EVENT_TIME[opened.file.log]]
            opened.first_event = min(filter(None, (opened.first_event, events.min())))
            opened.last_event = max(filter(None, (opened.last_event, events.max())))

    def _put_in_place(self, whole: list[_OpenFile]) -> None:
        unchanged = []
        for opened in whole:
            if opened.accepted.rows + opened.rejected.rows != opened.records:
                raise ReconciliationError(
                    f"{opened.file.log}/{opened.file.source_file}: {opened.records} records, but"
                    f" {opened.accepted.rows} accepted and {opened.rejected.rows} rejected; nothing was taken of it"
                )
            if _has_changed(opened):
                self._let_go(opened)
            else:
                unchanged.append(opened)
        self._take([(opened, _loaded(opened, None)) for opened in unchanged])

    def _refuse(self, opened: _OpenFile, reason: str) -> None:
        """Takes nothing of a file, and takes away what it gave before."""
        self._let_go(opened)
        if _has_changed(opened):
            return
        opened.accepted = lake.accepted_writer(self._paths, opened.file)
        opened.rejected = lake.rejected_writer(self._paths, opened.file)
        opened.records = 0
        self._take([(opened, _loaded(opened, reason))])

    def _let_go(self, opened: _OpenFile) -> None:
        opened.is_gone = True
        opened.accepted.discard()
        opened.rejected.discard()

    def _take(self, taken: list[tuple[_OpenFile, LoadedFile]]) -> None:
        """Puts what files gave in place of what they gave before."""
        if not taken:
            return
        changes.note(self._paths, self._ledger, [opened.file for opened, _ in taken])
        # Side by side: one after the other, the files of a batch would each wait for the disk.
        writers = [writer for opened, _ in taken for writer in (opened.accepted, opened.rejected)]
        contents: dict[Place, Content] = {}
        with ThreadPoolExecutor(PUT_IN_PLACE_AT_A_TIME) as threads:
            for written in threads.map(lake.RowWriter.commit, writers):
                contents |= written
        self._ledger.note_files(
            ((loaded, opened.stamp) for opened, loaded in taken),
            {self._paths.name_of(place): content for place, content in contents.items()},
        )
        self._loaded += [loaded for _, loaded in taken]


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
        listed = opened.file.listed
        with paths.at_hand(opened.file.path, listed and listed.tag) as file:
            opened.sha256 = hash_of(file)
            yield from open_records(file, layout)
    except FileNotFoundError as error:
        raise _VanishedFile from error
    except OSError as error:
        opened.sha256 = opened.stamp.stand_in_for_hash
        opened.stamp = replace(opened.stamp, noted_ns=0)
        why = error.strerror or type(error).__name__
        raise RefusedFile(f"cannot be read: {why}; each refresh tries again") from error


def _rejected_rows(
    opened: _OpenFile,
    records: Records,
    indices: list[int],
    reasons: list[list[str]],
    erased: Remembered | None,
) -> pl.DataFrame:
    numbers = records.row_numbers.gather(indices).to_list() + [broken.row_number for broken in records.broken]
    raw = records.raw(indices) + [broken.raw for broken in records.broken]
    if not numbers:
        return pl.DataFrame(schema=lake.QUARANTINE_SCHEMA)
    return pl.DataFrame(
        {
            "source_file": [opened.file.source_file] * len(numbers),
            "row_number": numbers,
            # Through Arrow: polars would make a series of each of the lists, at kilobytes apiece.
            "reasons": pl.Series(pa.array(reasons + [list(broken.reasons) for broken in records.broken], REASONS)),
            "raw_row": [lake.cut_raw_row(erased.raw_row(row) if erased else row) for row in raw],
        },
        schema=lake.QUARANTINE_SCHEMA,
    ).sort("row_number")


def _has_changed(opened: _OpenFile) -> bool:
    """Whether a file is no longer what it was when its hash was taken."""
    try:
        return opened.file.stamp() != opened.stamp
    except FileNotFoundError:
        return True


def _loaded(opened: _OpenFile, refusal: str | None) -> LoadedFile:
    return LoadedFile(
        log=opened.file.log,
        source_file=opened.file.source_file,
        log_date=opened.file.log_date,
        sha256=opened.sha256,
        refusal=refusal and harmless(refusal),
        records=opened.records,
        accepted=opened.accepted.rows,
        rejected=opened.rejected.rows,
        first_event=str(opened.first_event) if opened.first_event else None,
        last_event=str(opened.last_event) if opened.last_event else None,
        unknown_columns=tuple(sorted({harmless(name) for name in opened.unknown_columns})),
        loaded_at=now(),
    )
