"""The ledger: what the warehouse knows of itself. Which content of which file was taken, what was built from it, which
checks it passed, what was published and exported, and what a person accepted.

One small SQLite file; every method is one transaction. Whatever can be derived from these facts is derived, not stored.

Not here: the rows themselves (`warehouse.lake`), what the facts lead to (`quality.gate`).
"""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from models.checks import CheckResult
from models.figures import BuildFigures, Figures
from models.vocabulary import Log
from warehouse.contents import Content
from warehouse.landing import LandingFile, Stamp

_SCHEMA = """
create table if not exists files (
    log text not null, source_file text not null, log_date text not null, sha256 text not null,
    size integer not null, mtime_ns integer not null, ctime_ns integer not null, inode integer not null,
    noted_ns integer not null,
    refusal text, records integer not null, accepted integer not null, rejected integer not null,
    first_event text, last_event text, unknown_columns text not null, loaded_at text not null,
    primary key (log, source_file)
);
create table if not exists lake_contents (place text primary key, size integer not null, sha256 text not null);
create table if not exists published_quarantine (fingerprint text primary key);
create table if not exists acceptances (
    log text not null, source_file text not null, sha256 text not null, reason text not null, accepted_at text not null,
    primary key (log, source_file, sha256)
);
create table if not exists changes (
    change_id integer primary key autoincrement, log text not null, place text not null, replaced text,
    noted_at text not null
);
create table if not exists built_from (name text primary key, fingerprint text not null);
create table if not exists builds (
    build_id text primary key, inputs text not null, data_until text, built_at text not null,
    is_candidate integer not null
);
create table if not exists predecessors (build_id text primary key, went_on_from text not null);
create table if not exists checks (
    build_id text not null, name text not null, is_blocking integer not null, passed integer not null,
    detail text not null, recorded_at text not null,
    primary key (build_id, name)
);
create table if not exists figures (
    build_id text not null, mart text not null, name text not null, value real not null,
    primary key (build_id, mart, name)
);
create table if not exists publications (
    publication integer primary key autoincrement, build_id text not null, published_at text not null,
    went_back_from text
);
create table if not exists overrides (
    override integer primary key autoincrement, build_id text not null, reason text not null, overridden text not null,
    overridden_at text not null
);
create table if not exists exports (
    report text not null, file text not null, build_id text not null, exported_at text not null,
    primary key (report, file)
);
create table if not exists exported_campaigns (
    report text not null, campaign_id text not null, digest text not null,
    primary key (report, campaign_id)
);
create table if not exists hash_key (own_hash text primary key);
create table if not exists erasures (
    erasure_id integer primary key autoincrement, reason text not null, started_at text not null, finished_at text
);
create table if not exists erased (
    kind text not null, hash text not null, token text not null, erasure_id integer not null,
    primary key (kind, hash)
);
create table if not exists refreshes (
    started_at text primary key, finished_at text not null, outcome text not null, message text not null
);
"""

_NO_FILE = ""
_IN_WORDS = (
    ("checks", "detail"),
    ("refreshes", "message"),
    ("files", "refusal"),
    ("acceptances", "reason"),
    ("overrides", "reason"),
    ("overrides", "overridden"),
)

BUILDS_WITH_FIGURES = 400
"""Of so many builds, the latest, figures are kept."""
IN_FLIGHT = ""
"""Stands for the SHA-256 of a log file that is being taken: until it is noted what came of it, it counts as untaken."""

NOT_KNOWN = "not known"
"""Stands for the SHA-256 of a log file that nobody can look at any more, while the lake holds what it gave."""


@dataclass(frozen=True)
class LoadedFile:
    """What was taken of one log file, or why it was refused. `is_accepted`: a person accepted this content."""

    log: Log
    source_file: str
    log_date: date
    sha256: str
    refusal: str | None
    records: int
    accepted: int
    rejected: int
    first_event: str | None
    last_event: str | None
    unknown_columns: tuple[str, ...]
    loaded_at: datetime
    is_accepted: bool = False


@dataclass(frozen=True)
class Acceptance:
    """What a person accepted of a content of a file, and why; `is_in_force` while the file still has that content."""

    log: Log
    source_file: str
    reason: str
    accepted_at: datetime
    is_in_force: bool


@dataclass(frozen=True)
class Change:
    """A file of the lake that came, changed or went: `place` in the lake, and `replaced` in the change feed's folder,
    what it held before.
    """

    change_id: int
    log: Log
    place: str
    replaced: str | None


@dataclass(frozen=True)
class Build:
    """A finished build: `inputs` is a fingerprint of all that it was made of."""

    build_id: str
    inputs: str
    data_until: date | None
    built_at: datetime


@dataclass(frozen=True)
class Publication:
    """A build became what is published; `went_back_from` is the build that a person went back from to it, or None."""

    build_id: str
    published_at: datetime
    went_back_from: str | None


@dataclass(frozen=True)
class Override:
    """A person published a build over what held it back: the texts of the holds, and why."""

    build_id: str
    reason: str
    overridden: tuple[str, ...]
    overridden_at: datetime


@dataclass(frozen=True)
class Erased:
    """A contact (`contact`) or number (`number`) that was erased, by its keyed hash, and what stands in its place."""

    kind: str
    hash: str
    token: str
    erasure_id: int


@dataclass(frozen=True)
class Refresh:
    """How a refresh ended: `published`, `nothing new`, `held back` or `failed`; `not finished` until it has."""

    started_at: datetime
    finished_at: datetime
    outcome: str
    message: str


def now() -> datetime:
    return datetime.now(UTC)


class Ledger:
    """Reads and writes the ledger file; made on first use."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=60)
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("pragma synchronous = full")
            _bring_up_to_date(connection)
            connection.executescript(_SCHEMA)
            with connection:
                yield connection
        finally:
            connection.close()

    # --- files

    def untaken(self, files: Iterable[LandingFile], *, verify: bool = False) -> list[LandingFile]:
        """Of these files, those whose content is not what was taken last.

        A file is hashed only where the file system's stamp differs from what was noted, or cannot be trusted; with
        `verify`, always. A stamp that changed over the same content is noted anew.
        """
        with self._transaction() as connection:
            noted = {(row["log"], row["source_file"]): row for row in connection.execute("select * from files")}
            untaken = []
            for file in files:
                row = noted.get((file.log, file.source_file))
                try:
                    stamp = file.stamp()
                    if row is not None and not verify and _stamp(row) == stamp and not _stamp(row).is_fresh:
                        continue
                    found = row and _hash_or_stand_in(file, stamp)
                except FileNotFoundError:
                    continue  # gone since the landing zone was looked at: it keeps what it gave
                if row is None or found != row["sha256"]:
                    untaken.append(file)
                elif found != stamp.stand_in_for_hash:
                    self._note_stamp(connection, file, stamp)
            return untaken

    def _note_stamp(self, connection: sqlite3.Connection, file: LandingFile, stamp: Stamp) -> None:
        connection.execute(
            "update files set size = ?, mtime_ns = ?, ctime_ns = ?, inode = ?, noted_ns = ?"
            " where log = ? and source_file = ?",
            (stamp.size, stamp.mtime_ns, stamp.ctime_ns, stamp.inode, stamp.noted_ns, file.log, file.source_file),
        )

    def note_files(
        self, loaded: Iterable[tuple[LoadedFile, Stamp]], contents: Mapping[Path, Content] | None = None
    ) -> None:
        """Notes what was taken of files, in place of what was noted of them before; and what the files of lake and
        quarantine hold that were written for it, by their places in the data folder.
        """
        with self._transaction() as connection:
            _note_contents(connection, contents or {})
            connection.executemany(
                "insert or replace into files values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        file.log, file.source_file, file.log_date.isoformat(), file.sha256,
                        stamp.size, stamp.mtime_ns, stamp.ctime_ns, stamp.inode, stamp.noted_ns,
                        file.refusal, file.records, file.accepted, file.rejected,
                        file.first_event, file.last_event, json.dumps(file.unknown_columns), file.loaded_at.isoformat(),
                    )
                    for file, stamp in loaded
                ],
            )  # fmt: skip

    def files(self, log: Log | None = None) -> list[LoadedFile]:
        """What is noted of all files, or of those of one log."""
        with self._transaction() as connection:
            rows = connection.execute(
                "select files.*, acceptances.sha256 is not null as is_accepted from files"
                " left join acceptances using (log, source_file, sha256)"
                " where ?1 is null or log = ?1 order by log, log_date, source_file",
                (log,),
            )
            return [_loaded_file(row) for row in rows]

    def files_fingerprint(self) -> str:
        """Which content of which files was looked at, in one word. Refused files count: a build knows what it lacks."""
        with self._transaction() as connection:
            return _fingerprint(
                connection.execute("select log, source_file, sha256 from files order by log, source_file")
            )

    def quarantine_fingerprint(self) -> str:
        """Which files have rows in quarantine, or were refused, in one word."""
        with self._transaction() as connection:
            return _fingerprint(
                connection.execute(
                    "select log, source_file, sha256, loaded_at from files where rejected > 0 or refusal is not null"
                    " order by log, source_file"
                )
            )

    def note_published_quarantine(self, fingerprint: str) -> None:
        """Notes that the published quarantine holds what this fingerprint stands for."""
        with self._transaction() as connection:
            connection.execute("delete from published_quarantine")
            connection.execute("insert into published_quarantine values (?)", (fingerprint,))

    def published_quarantine(self) -> str | None:
        """The fingerprint of what the published quarantine holds."""
        with self._transaction() as connection:
            row = connection.execute("select * from published_quarantine").fetchone()
            return row and row["fingerprint"]

    def data_until(self) -> date | None:
        """The latest log date of which the lake holds a row."""
        with self._transaction() as connection:
            (latest,) = connection.execute("select max(log_date) from files where accepted > 0").fetchone()
            return date.fromisoformat(latest) if latest else None

    # --- what files of lake and quarantine hold

    def note_contents(self, contents: Mapping[Path, Content]) -> None:
        """Notes what files of lake and quarantine hold, by their places in the data folder."""
        with self._transaction() as connection:
            _note_contents(connection, contents)

    def forget_contents(self, places: Iterable[Path]) -> None:
        """Forgets what files of lake and quarantine held: they are about to be written anew."""
        with self._transaction() as connection:
            connection.executemany("delete from lake_contents where place = ?", [(str(place),) for place in places])

    def contents(self) -> dict[Path, Content]:
        """What the files of lake and quarantine held when they were written, by their places in the data folder; nothing
        of those that an older release wrote.
        """
        with self._transaction() as connection:
            rows = connection.execute("select * from lake_contents")
            return {Path(row["place"]): Content(row["size"], row["sha256"]) for row in rows}

    # --- change feed

    def note_changes(self, changes: Iterable[tuple[LandingFile, Path, Path | None]]) -> None:
        """Notes that files of the lake are about to change: the log file, its place, what it holds so far.

        Until it is noted what was taken of them, they count as untaken, even where they become again what they were.
        """
        changes = list(changes)
        with self._transaction() as connection:
            connection.executemany(
                "insert into changes (log, place, replaced, noted_at) values (?, ?, ?, ?)",
                [
                    (file.log, str(place), str(replaced) if replaced else None, now().isoformat())
                    for file, place, replaced in changes
                ],
            )
            connection.executemany(
                "update files set sha256 = ?, noted_ns = 0 where log = ? and source_file = ?",
                [(IN_FLIGHT, file.log, file.source_file) for file, _, _ in changes],
            )
            connection.executemany(
                "delete from lake_contents where place = ?",
                [(f"{root}/{place}",) for _, place, _ in changes for root in ("lake", "quarantine")],
            )

    def open_changes(self) -> list[Change]:
        """The changes that no finished build has used yet, in order."""
        with self._transaction() as connection:
            rows = connection.execute("select * from changes order by change_id")
            return [Change(row["change_id"], Log(row["log"]), row["place"], row["replaced"]) for row in rows]

    def accept(self, log: Log, source_file: str, sha256: str, reason: str) -> None:
        """Notes that a person accepts what was found in this content of this file."""
        with self._transaction() as connection:
            connection.execute(
                "insert or replace into acceptances values (?, ?, ?, ?, ?)",
                (log, source_file, sha256, reason, now().isoformat()),
            )

    def acceptances(self) -> list[Acceptance]:
        """What persons have accepted, the latest first."""
        with self._transaction() as connection:
            rows = connection.execute(
                "select acceptances.*, files.sha256 is not null as is_in_force from acceptances"
                " left join files using (log, source_file, sha256) order by accepted_at desc, log, source_file"
            )
            return [
                Acceptance(
                    Log(row["log"]),
                    row["source_file"],
                    row["reason"],
                    datetime.fromisoformat(row["accepted_at"]),
                    bool(row["is_in_force"]),
                )
                for row in rows
            ]

    # --- builds

    def forget_candidate(self) -> None:
        """Notes that the candidate's files are about to be overwritten: whatever they hold now is no build."""
        with self._transaction() as connection:
            connection.execute("update builds set is_candidate = 0")

    def note_candidate(
        self, build: Build, used: Iterable[Change], built_from: Mapping[str, str], went_on_from: str | None
    ) -> None:
        """Notes a finished build as the one that the candidate's files hold; the changes that it used are closed.

        `went_on_from` is the build whose tables it brought up to date; None where any was built in full.
        """
        with self._transaction() as connection:
            connection.execute("update builds set is_candidate = 0")
            connection.executemany("delete from changes where change_id = ?", [(change.change_id,) for change in used])
            connection.execute("delete from built_from")
            connection.executemany("insert into built_from values (?, ?)", built_from.items())
            connection.execute(
                "insert into builds values (?, ?, ?, ?, 1)",
                (
                    build.build_id, build.inputs,
                    build.data_until.isoformat() if build.data_until else None, build.built_at.isoformat(),
                ),
            )  # fmt: skip

            if went_on_from:
                connection.execute("insert into predecessors values (?, ?)", (build.build_id, went_on_from))

    def went_on_from(self, build_id: str) -> str | None:
        """The build whose tables a build brought up to date; None where it built any in full."""
        with self._transaction() as connection:
            row = connection.execute("select * from predecessors where build_id = ?", (build_id,)).fetchone()
            return row and row["went_on_from"]

    def candidate(self) -> Build | None:
        """The build that the candidate's files hold; None where they hold none, or half of one."""
        with self._transaction() as connection:
            row = connection.execute("select * from builds where is_candidate").fetchone()
            return row and Build(
                row["build_id"],
                row["inputs"],
                date.fromisoformat(row["data_until"]) if row["data_until"] else None,
                datetime.fromisoformat(row["built_at"]),
            )

    def last_build(self) -> str | None:
        """The build that was finished last, whether or not the candidate's files still hold it whole."""
        with self._transaction() as connection:
            row = connection.execute("select build_id from builds order by rowid desc limit 1").fetchone()
            return row and row["build_id"]

    def built_from(self) -> dict[str, str]:
        """By name, the fingerprints of models, vocabulary and settings that the tables of the build at hand come from;
        empty where these are no base for another build.
        """
        with self._transaction() as connection:
            return {row["name"]: row["fingerprint"] for row in connection.execute("select * from built_from")}

    def forget_built_from(self, names: Iterable[str]) -> None:
        """Notes that the tables of these models are about to go."""
        with self._transaction() as connection:
            connection.executemany("delete from built_from where name = ?", [(name,) for name in names])

    def record_checks(self, build_id: str, results: Iterable[CheckResult]) -> None:
        """Records results; one recorded again replaces the earlier."""
        with self._transaction() as connection:
            connection.executemany(
                "insert or replace into checks values (?, ?, ?, ?, ?, ?)",
                [(build_id, r.name, r.is_blocking, r.passed, r.detail, now().isoformat()) for r in results],
            )

    def checks(self, build_id: str) -> list[CheckResult]:
        with self._transaction() as connection:
            rows = connection.execute("select * from checks where build_id = ? order by name", (build_id,))
            return [CheckResult(r["name"], bool(r["is_blocking"]), bool(r["passed"]), r["detail"]) for r in rows]

    # --- figures

    def note_figures(self, build_id: str, figures: Figures) -> None:
        """Notes the figures of a build, in place of those noted before; those of builds long past go."""
        with self._transaction() as connection:
            connection.execute("delete from figures where build_id = ?", (build_id,))
            connection.executemany(
                "insert into figures values (?, ?, ?, ?)",
                [(build_id, mart, name, value) for mart, of_mart in figures.items() for name, value in of_mart.items()],
            )
            connection.execute(
                "delete from figures where build_id not in (select build_id from builds order by rowid desc limit ?)",
                (BUILDS_WITH_FIGURES,),
            )

    def published_figures(self) -> list[BuildFigures]:
        """The figures of the builds that were published, in that order."""
        with self._transaction() as connection:
            rows = connection.execute(
                "select publications.build_id, data_until, mart, name, value from publications"
                " join builds using (build_id) join figures using (build_id) order by publications.rowid"
            ).fetchall()
        builds: dict[str, tuple[date | None, dict[str, dict[str, float]]]] = {}
        for row in rows:
            until = date.fromisoformat(row["data_until"]) if row["data_until"] else None
            _, figures = builds.setdefault(row["build_id"], (until, {}))
            figures.setdefault(row["mart"], {})[row["name"]] = row["value"]
        return [BuildFigures(build_id, until, figures) for build_id, (until, figures) in builds.items()]

    def log_dates(self, day: date | None) -> dict[Log, tuple[date | None, int]]:
        """By log, the latest log date of which the lake holds a row, and the rows of a day."""
        with self._transaction() as connection:
            rows = connection.execute(
                "select log, max(case when accepted > 0 then log_date end) as latest,"
                " sum(case when log_date = ? then accepted else 0 end) as rows_of_day from files group by log",
                (day.isoformat() if day else None,),
            )
            return {
                Log(row["log"]): (date.fromisoformat(row["latest"]) if row["latest"] else None, row["rows_of_day"])
                for row in rows
            }

    # --- publications, exports, refreshes

    def note_publication(self, build_id: str, published_at: datetime, went_back_from: str | None = None) -> None:
        with self._transaction() as connection:
            connection.execute(
                "insert into publications (build_id, published_at, went_back_from) values (?, ?, ?)",
                (build_id, published_at.isoformat(), went_back_from),
            )

    def publications(self) -> list[Publication]:
        """All publications, in order; a build that was gone back to, or published again, occurs again."""
        with self._transaction() as connection:
            return [_publication(row) for row in connection.execute("select * from publications order by publication")]

    def last_publication(self) -> tuple[str, datetime] | None:
        """The build published last, and when."""
        with self._transaction() as connection:
            row = connection.execute("select * from publications order by publication desc limit 1").fetchone()
            return row and (row["build_id"], datetime.fromisoformat(row["published_at"]))

    def withdrawal(self, build_id: str) -> Publication | None:
        """When a person last went back from a build, or from one that was made of the same: None where no one did, or
        it has been published again since.
        """
        with self._transaction() as connection:
            row = connection.execute(
                "with of_the_same as ("
                " select build_id from builds where inputs = (select inputs from builds where build_id = ?1)"
                " ) select *, went_back_from in of_the_same and build_id <> ?1 as is_withdrawn from publications"
                " where build_id in of_the_same or went_back_from in of_the_same order by publication desc limit 1",
                (build_id,),
            ).fetchone()
            return _publication(row) if row and row["is_withdrawn"] else None

    def override(self, build_id: str, reason: str, overridden: Iterable[str]) -> None:
        """Notes that a person publishes a build over what holds it back: the texts of these holds."""
        with self._transaction() as connection:
            connection.execute(
                "insert into overrides (build_id, reason, overridden, overridden_at) values (?, ?, ?, ?)",
                (build_id, reason, json.dumps(list(overridden)), now().isoformat()),
            )

    def overrides(self, build_id: str) -> list[Override]:
        """What a person overrode of what held a build back, in order."""
        with self._transaction() as connection:
            rows = connection.execute("select * from overrides where build_id = ? order by override", (build_id,))
            return [
                Override(
                    row["build_id"],
                    row["reason"],
                    tuple(json.loads(row["overridden"])),
                    datetime.fromisoformat(row["overridden_at"]),
                )
                for row in rows
            ]

    def note_export(
        self, report: str, file: str, build_id: str, exported_at: datetime, campaigns: Mapping[str, str]
    ) -> None:
        """Notes an export, and what each campaign's rows came to in it or in those before."""
        with self._transaction() as connection:
            connection.execute(
                "insert or replace into exports values (?, ?, ?, ?)", (report, file, build_id, exported_at.isoformat())
            )
            connection.execute("delete from exported_campaigns where report = ?", (report,))
            connection.executemany(
                "insert into exported_campaigns values (?, ?, ?)",
                [(report, campaign_id, digest) for campaign_id, digest in campaigns.items()],
            )

    def forget_exports_of(self, build_id: str) -> None:
        """Notes that nothing was exported yet of a build as it is now; the files stay."""
        with self._transaction() as connection:
            connection.execute("update exports set build_id = '' where build_id = ?", (build_id,))

    def note_unchanged(self, report: str, build_id: str) -> None:
        """Notes that an export of a report from this build would hold nothing: no file belongs to it."""
        with self._transaction() as connection:
            connection.execute(
                "insert or replace into exports values (?, ?, ?, ?)", (report, _NO_FILE, build_id, now().isoformat())
            )

    def last_export(self, report: str) -> str | None:
        """The file that a report was exported to last."""
        with self._transaction() as connection:
            (file,) = connection.execute(
                "select max(file) from exports where report = ? and file <> ?", (report, _NO_FILE)
            ).fetchone()
            return file

    def exported_files(self, report: str) -> list[str]:
        """The files that a report was exported to, those that were pruned since included."""
        with self._transaction() as connection:
            rows = connection.execute("select file from exports where report = ? and file <> ?", (report, _NO_FILE))
            return [row["file"] for row in rows]

    def forget_exports(self, report: str) -> None:
        """Notes that a report counts as never exported: the next export holds all of it."""
        with self._transaction() as connection:
            connection.execute("delete from exports where report = ?", (report,))
            connection.execute("delete from exported_campaigns where report = ?", (report,))

    def exported_campaigns(self, report: str) -> dict[str, str]:
        """By campaign, what its rows came to when a report was exported last."""
        with self._transaction() as connection:
            rows = connection.execute("select * from exported_campaigns where report = ?", (report,))
            return {row["campaign_id"]: row["digest"] for row in rows}

    def exported_reports(self, build_id: str) -> set[str]:
        """The reports of which the last export was from a build, or would have held nothing new.

        The last: a build that was gone back to is exported again if another was exported in between.
        """
        with self._transaction() as connection:
            rows = connection.execute("select report, build_id, max(rowid) from exports group by report")
            return {row["report"] for row in rows if row["build_id"] == build_id}

    # --- keyed hashes, erasures

    def note_hash_key(self, own_hash: str) -> None:
        """Notes what tells the key of the keyed hashes from another, without telling the key."""
        with self._transaction() as connection:
            connection.execute("insert into hash_key values (?)", (own_hash,))

    def hash_key(self) -> str | None:
        with self._transaction() as connection:
            row = connection.execute("select * from hash_key").fetchone()
            return row and row["own_hash"]

    def note_erasure(self, reason: str, contact_hash: str, token: str) -> int:
        """Notes that a contact is to be erased; gives the erasure's number."""
        with self._transaction() as connection:
            erasure_id = connection.execute(
                "insert into erasures (reason, started_at) values (?, ?)", (reason, now().isoformat())
            ).lastrowid
            connection.execute("insert into erased values ('contact', ?, ?, ?)", (contact_hash, token, erasure_id))
            return erasure_id

    def note_erased_numbers(self, tokens: Iterable[tuple[str, str, int]]) -> None:
        """Notes numbers of erased contacts: hash, token, erasure. Such an erasure is not finished any more: the number
        may stand elsewhere.
        """
        with self._transaction() as connection:
            for number_hash, token, erasure_id in tokens:
                connection.execute(
                    "insert or ignore into erased values ('number', ?, ?, ?)", (number_hash, token, erasure_id)
                )
                connection.execute("update erasures set finished_at = null where erasure_id = ?", (erasure_id,))

    def erased(self) -> list[Erased]:
        """Every contact and number that is to be read as a token."""
        with self._transaction() as connection:
            rows = connection.execute("select * from erased order by erasure_id, kind, hash")
            return [Erased(row["kind"], row["hash"], row["token"], row["erasure_id"]) for row in rows]

    def is_erasing(self) -> bool:
        """Whether an erasure was begun and has not got through."""
        with self._transaction() as connection:
            return connection.execute("select 1 from erasures where finished_at is null").fetchone() is not None

    def note_erasures_finished(self) -> None:
        """Notes that nothing that was to be erased stands anywhere any more."""
        with self._transaction() as connection:
            connection.execute("update erasures set finished_at = ? where finished_at is null", (now().isoformat(),))

    def rewrite_texts(self, rewrite: Callable[[str], str]) -> None:
        """Rewrites what was recorded in words; what it said before does not stay in the file either."""
        with self._transaction() as connection:
            connection.execute("pragma secure_delete = on")
            connection.create_function("rewritten", 1, rewrite, deterministic=True)
            for table, column in _IN_WORDS:
                connection.execute(
                    f"update {table} set {column} = rewritten({column})"
                    f" where {column} is not null and rewritten({column}) <> {column}"
                )

    def note_refresh(self, refresh: Refresh) -> None:
        with self._transaction() as connection:
            connection.execute(
                "insert or replace into refreshes values (?, ?, ?, ?)",
                (refresh.started_at.isoformat(), refresh.finished_at.isoformat(), refresh.outcome, refresh.message),
            )

    def last_end(self) -> datetime | None:
        """When a refresh ended last, by the clock of that time; whatever is at work now has not."""
        with self._transaction() as connection:
            row = connection.execute(
                "select finished_at from refreshes where outcome <> 'not finished' order by rowid desc limit 1"
            ).fetchone()
            return row and datetime.fromisoformat(row["finished_at"])

    def last_refresh(self) -> Refresh | None:
        with self._transaction() as connection:
            # In the order in which they were noted: the clock may have jumped.
            row = connection.execute("select * from refreshes order by rowid desc limit 1").fetchone()
            return row and Refresh(
                datetime.fromisoformat(row["started_at"]),
                datetime.fromisoformat(row["finished_at"]),
                row["outcome"],
                row["message"],
            )


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Gives a ledger of an older version, where a build could be published only once, the publications of this one."""
    if "build_id" in _keys_of_publications(connection):
        connection.execute("begin immediate")
        with connection:
            if "build_id" in _keys_of_publications(connection):  # still: another process may have been first
                connection.execute("alter table publications rename to publications_before")
                connection.execute(
                    "create table publications (publication integer primary key autoincrement, build_id text not null,"
                    " published_at text not null, went_back_from text)"
                )
                connection.execute(
                    "insert into publications (build_id, published_at)"
                    " select build_id, published_at from publications_before order by rowid"
                )
                connection.execute("drop table publications_before")


def _keys_of_publications(connection: sqlite3.Connection) -> set[str]:
    return {row["name"] for row in connection.execute("pragma table_info(publications)") if row["pk"]}


def _publication(row: sqlite3.Row) -> Publication:
    return Publication(row["build_id"], datetime.fromisoformat(row["published_at"]), row["went_back_from"])


def _note_contents(connection: sqlite3.Connection, contents: Mapping[Path, Content]) -> None:
    connection.executemany(
        "insert or replace into lake_contents values (?, ?, ?)",
        [(str(place), content.size, content.sha256) for place, content in contents.items()],
    )


def _fingerprint(rows: Iterable[sqlite3.Row]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update("\0".join(row).encode() + b"\n")
    return digest.hexdigest()


def _hash_or_stand_in(file: LandingFile, stamp: Stamp) -> str:
    """What is noted of a file's content; of one that cannot be read, there is nothing new as long as its stamp stays."""
    try:
        return file.sha256()
    except FileNotFoundError:
        raise
    except OSError:
        return stamp.stand_in_for_hash


def _stamp(row: sqlite3.Row) -> Stamp:
    return Stamp(row["size"], row["mtime_ns"], row["ctime_ns"], row["inode"], row["noted_ns"])


def _loaded_file(row: sqlite3.Row) -> LoadedFile:
    return LoadedFile(
        log=Log(row["log"]),
        source_file=row["source_file"],
        log_date=date.fromisoformat(row["log_date"]),
        sha256=row["sha256"],
        refusal=row["refusal"],
        records=row["records"],
        accepted=row["accepted"],
        rejected=row["rejected"],
        first_event=row["first_event"],
        last_event=row["last_event"],
        unknown_columns=tuple(json.loads(row["unknown_columns"])),
        loaded_at=datetime.fromisoformat(row["loaded_at"]),
        is_accepted=bool(row["is_accepted"]),
    )
