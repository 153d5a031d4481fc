"""Arrivals: new and changed files in the landing zone, by their stats, and when a refresh of them is due.

The stat of a file that is complete is the same in two evaluations of the sensor. Complete files wait for the others, so that a
burst leads to one refresh, but only for a limited time. Each state of a file starts one refresh at most.

Not here: the sensor (`orchestration.defs.landing_sensors`), which files a refresh loads (`Ledger.pending_files`).
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import PurePath

from models.enums import Log
from models.masking import sanitize
from warehouse.landing import LandingFile
from warehouse.ledger import Change, RecordedStat, Refresh

PATIENCE_SECONDS = 15 * 60
"""The longest time that complete files wait for files that still change; then only the days of the latter wait."""

LAKE = "the lake"
"""The name of the arrival that stands for loaded rows that no build has used."""

LogDay = tuple[Log, date]


@dataclass(frozen=True)
class Arrival:
    """A file that is new or changed, or the lake itself. `state` differs whenever its content does."""

    name: str
    state: str
    days: frozenset[LogDay]

    def is_in(self, states: Mapping[str, str]) -> bool:
        return states.get(self.name) == self.state


@dataclass(frozen=True)
class Arrivals:
    """The new and changed files; the names of all loaded files, and of those that are gone from the landing zone."""

    pending: list[Arrival]
    loaded: frozenset[str] = frozenset()
    gone: tuple[str, ...] = ()


def find_arrivals(files: Iterable[LandingFile], recorded: Mapping[tuple[Log, str], RecordedStat]) -> Arrivals:
    """Compares the files in the landing zone with the ledger's records, by log and file name.

    A loaded file that is gone changes nothing: the lake keeps its rows. A file that disappeared during its load is pending,
    because the next load settles it.
    """
    remaining = dict(recorded)
    pending = []
    for file in files:
        before = remaining.pop((file.log, file.source_file), None)
        try:
            stat = file.stat()
        except FileNotFoundError:
            continue  # gone since the landing zone was scanned
        if (
            before is None
            or before.is_in_flight
            or before.has_old_rejections
            or before.stat != stat
            or before.mapping != file.mapping_fingerprint
        ):
            name = _printable_name(file.log, file.source_file)
            pending.append(
                Arrival(
                    name,
                    stat.hash_placeholder[:16] + file.mapping_fingerprint[:8],
                    frozenset({(file.log, file.log_date)}),
                )
            )
    gone = []
    for (log, source_file), before in remaining.items():
        name = _printable_name(log, source_file)
        if before.is_in_flight:
            pending.append(Arrival(name, "gone during its load", frozenset({(log, before.log_date)})))
        else:
            gone.append(name)
    return Arrivals(pending, frozenset(_printable_name(*key) for key in recorded), tuple(gone))


def unbuilt_changes(
    changes: Iterable[Change], last_change: tuple[int, datetime] | None, last_refresh: Refresh | None
) -> Arrival | None:
    """The lake as an arrival, if it has changed since the last build, as after the load of a single date; else None.

    None, too, if the last refresh failed after the change. `last_change`: its id, and when it was recorded.
    """
    if last_change is None:
        return None
    change_id, recorded_at = last_change
    if last_refresh and last_refresh.outcome == "failed" and last_refresh.finished_at >= recorded_at:
        return None
    days = {
        (change.log, date.fromisoformat(PurePath(change.path).parent.name.removeprefix("log_date=")))
        for change in changes
    }
    return Arrival(LAKE, str(change_id), frozenset(days))


def _printable_name(log: Log, source_file: str) -> str:
    """The name of a file for logs and cursors; a hash keeps it unique if something in it is masked."""
    name = f"{log}/{source_file}"
    printable = sanitize(name)
    return printable if printable == name else f"{printable} ({hashlib.sha256(name.encode()).hexdigest()[:8]})"


def run_key(due: Iterable[Arrival]) -> str:
    """The key of a run: the same for the same state of the same files, and different for any other."""
    states = sorted((arrival.name, arrival.state) for arrival in due)
    return hashlib.sha256(repr(states).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class SensorCursor:
    """The sensor's memory: the states that were seen, and that a refresh was requested for; since when (1970) files wait."""

    seen: dict[str, str] = field(default_factory=dict)
    requested: dict[str, str] = field(default_factory=dict)
    waiting_since: float | None = None

    def as_text(self) -> str:
        return json.dumps([self.seen, self.requested, self.waiting_since])

    @classmethod
    def of(cls, text: str | None) -> "SensorCursor":
        return cls(*json.loads(text)) if text else cls()


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation: arrivals to refresh now, arrivals that still change, arrivals that a refresh was requested
    for before, and the names of files that disappeared before they were loaded.
    """

    cursor: SensorCursor
    due: list[Arrival]
    changing: list[Arrival]
    already_requested: list[Arrival]
    vanished: list[str]


def evaluate(cursor: SensorCursor, arrivals: Arrivals, at: float) -> Evaluation:
    """Decides which arrivals are due at a moment, in seconds since 1970."""
    already_requested = [arrival for arrival in arrivals.pending if arrival.is_in(cursor.requested)]
    new = [arrival for arrival in arrivals.pending if not arrival.is_in(cursor.requested)]
    changing = [arrival for arrival in new if not arrival.is_in(cursor.seen)]
    # The clock may have been set back.
    waiting_since = at if cursor.waiting_since is None else min(at, cursor.waiting_since)
    due = []
    if not changing or at - waiting_since >= PATIENCE_SECONDS:
        changing_days = {day for arrival in changing for day in arrival.days}
        due = [arrival for arrival in new if arrival.is_in(cursor.seen) and not arrival.days & changing_days]
    present = {LAKE, *arrivals.loaded, *(arrival.name for arrival in arrivals.pending)}
    return Evaluation(
        SensorCursor(
            seen={arrival.name: arrival.state for arrival in arrivals.pending},
            requested={arrival.name: arrival.state for arrival in [*already_requested, *due]},
            waiting_since=None if due or not new else waiting_since,
        ),
        due,
        changing,
        already_requested,
        vanished=[name for name in cursor.seen if name not in present],
    )
