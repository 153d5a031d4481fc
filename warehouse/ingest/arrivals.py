"""What has come into the landing zone since the ledger last noted it, and when it is time to take it.

A file that is still being written is waited for: its stamp has to be the same at two looks. Others wait for it, so that a
burst leads to one refresh, but not for ever. The same state of a file is asked for once. Files are told apart by their
stamps; none is read.

Not here: who looks, and how often (`orchestration.defs.landing_sensors`); what is taken in the end (`Ledger.pending_files`).
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import PurePath

from models.enums import Log
from models.masking import sanitize
from warehouse.foundation import LandingZone, Ledger

PATIENCE_SECONDS = 15 * 60
"""So long what is there waits for what is still being written; then it goes ahead, but for the days of the latter."""

LAKE = "the lake"
"""Stands among the files for what was loaded and not built from yet."""

LogDay = tuple[Log, date]


@dataclass(frozen=True)
class Arrival:
    """A file that a refresh would have to look at, or the lake itself; `mark` says in which state, and differs from any
    other state of it.
    """

    name: str
    mark: str
    days: frozenset[LogDay]


@dataclass(frozen=True)
class Arrivals:
    """What there is to be taken; the names of all files that were taken, and of those that have gone since."""

    waiting: list[Arrival]
    taken: frozenset[str] = frozenset()
    gone: tuple[str, ...] = ()


def arrivals(zone: LandingZone, ledger: Ledger) -> Arrivals:
    """Compares landing zone and ledger.

    A file that was taken and is gone changes nothing: landing zones are tidied, and the lake keeps what it gave. One that
    is gone in the middle of being taken is settled by the next load, so it counts among what waits.
    """
    noted = ledger.recorded_stats()
    taken = frozenset(_name(*key) for key in noted)
    waiting = []
    for file in zone.files:
        before = noted.pop((file.log, file.source_file), None)
        try:
            stat = file.stat()
        except FileNotFoundError:
            continue  # gone since the landing zone was looked at
        if before is None or before.is_in_flight or before.stat != stat:
            day = (file.log, file.log_date)
            waiting.append(Arrival(_name(file.log, file.source_file), stat.hash_placeholder[:16], frozenset({day})))
    gone = []
    for (log, source_file), before in noted.items():
        if before.is_in_flight:
            day = (log, before.log_date)
            waiting.append(Arrival(_name(log, source_file), "gone while it was taken", frozenset({day})))
        else:
            gone.append(_name(log, source_file))
    return Arrivals(waiting, taken, tuple(gone))


def unbuilt_changes(ledger: Ledger) -> Arrival | None:
    """The lake, where it has changed since a build used it: somebody has reloaded a day. None where it has not, or where
    the last refresh has failed on it.
    """
    change = ledger.last_change()
    if change is None:
        return None
    number, noted_at = change
    last = ledger.last_refresh()
    if last and last.outcome == "failed" and last.finished_at >= noted_at:
        return None
    days = {
        (change.log, date.fromisoformat(PurePath(change.path).parent.name.removeprefix("log_date=")))
        for change in ledger.open_changes()
    }
    return Arrival(LAKE, str(number), frozenset(days))


def _name(log: Log, source_file: str) -> str:
    """A file's name as it may be told and remembered anywhere: what is masked in it still tells it apart."""
    name = f"{log}/{source_file}"
    told = sanitize(name)
    return told if told == name else f"{told} ({hashlib.sha256(name.encode()).hexdigest()[:8]})"


def run_key(due: Iterable[Arrival]) -> str:
    """What this state of these files is called; no other is called the same."""
    return hashlib.sha256(repr(sorted((one.name, one.mark) for one in due)).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class SensorCursor:
    """What is remembered from one look to the next: marks as they were seen and as they were asked for, by name; and since
    when something waits that was not asked for.
    """

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
    """What came of a look: what it is time to take, what still changes, what was asked for before, and the names of what
    has gone before it was taken.
    """

    cursor: SensorCursor
    due: list[Arrival]
    changing: list[Arrival]
    already_requested: list[Arrival]
    vanished: list[str]


def evaluate(cursor: SensorCursor, found: Arrivals, at: float) -> Evaluation:
    """Decides what it is time to take, `at` a moment in seconds."""
    new, already_requested = _parted(found.waiting, lambda one: cursor.requested.get(one.name) != one.mark)
    changing, still = _parted(new, lambda one: cursor.seen.get(one.name) != one.mark)
    since = (at if cursor.waiting_since is None else cursor.waiting_since) if new else None
    due = []
    if not changing or at - since >= PATIENCE_SECONDS:
        unfinished = {day for one in changing for day in one.days}
        due = [one for one in still if not one.days & unfinished]
    still_there = {LAKE, *found.taken, *(one.name for one in found.waiting)}
    return Evaluation(
        SensorCursor(
            seen={one.name: one.mark for one in found.waiting},
            requested={one.name: one.mark for one in [*already_requested, *due]},
            waiting_since=None if due else since,
        ),
        due,
        changing,
        already_requested,
        vanished=[name for name in cursor.seen if name not in still_there],
    )


def _parted(all_of_them: Iterable[Arrival], holds: Callable[[Arrival], bool]) -> tuple[list[Arrival], list[Arrival]]:
    """Those of which something holds, and the others."""
    parts: tuple[list[Arrival], list[Arrival]] = ([], [])
    for one in all_of_them:
        parts[not holds(one)].append(one)
    return parts
