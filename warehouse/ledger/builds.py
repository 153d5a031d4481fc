"""Builds: the inputs, check results and metrics of each, and which one is the candidate.

Not here: which builds were published (`warehouse.ledger.publications`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from models.check_results import BuildMetrics, CheckResult, Metrics
from warehouse.ledger.change_feed import Change
from warehouse.ledger.store import Store, now

BUILDS_WITH_METRICS = 400
"""The number of latest builds whose metrics are kept."""


@dataclass(frozen=True)
class Build:
    """A finished build. `inputs` is the fingerprint of its files, settings and models."""

    build_id: str
    inputs: str
    data_until: date | None
    built_at: datetime


class Builds(Store):
    """Builds with their check results and metrics."""

    tables = """
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
    """

    def forget_candidate(self) -> None:
        """Records that the candidate's files are about to be overwritten, and hold no build from now on."""
        self._execute("update builds set is_candidate = 0")

    def record_candidate(
        self, build: Build, used: Iterable[Change], built_from: Mapping[str, str], previous_build_of: str | None
    ) -> None:
        """Records a finished build as the one in the candidate's files, and closes the changes that it used.

        `previous_build_of` is the build whose tables it updated incrementally; None if any table was built in full.
        """
        with self._transaction() as connection:
            connection.execute("update builds set is_candidate = 0")
            connection.executemany("delete from changes where change_id = ?", [(change.change_id,) for change in used])
            connection.execute("delete from built_from")
            connection.executemany("insert into built_from values (?, ?)", built_from.items())
            connection.execute("insert into builds values (?, ?, ?, ?, 1)", tuple(vars(build).values()))
            if previous_build_of:
                connection.execute("insert into predecessors values (?, ?)", (build.build_id, previous_build_of))

    def previous_build_of(self, build_id: str) -> str | None:
        """The build whose tables a build updated incrementally; None if it built any in full."""
        previous: str | None = self._value("select went_on_from from predecessors where build_id = ?", build_id)
        return previous

    def candidate(self) -> Build | None:
        """The build in the candidate's files; None if they hold none, or an unfinished one."""
        return self._first(Build, "select * from builds where is_candidate")

    def last_build(self) -> Build | None:
        """The build that finished last, whether or not the candidate's files still hold it."""
        return self._first(Build, "select * from builds order by rowid desc limit 1")

    def built_from(self) -> dict[str, str]:
        """The fingerprints of what the candidate's tables were built with, by name; empty if no next build may use them."""
        return dict(self._rows("select name, fingerprint from built_from"))

    def forget_built_from(self, names: Iterable[str]) -> None:
        """Records that the tables of these models are about to be dropped."""
        self._execute_many("delete from built_from where name = ?", [(name,) for name in names])

    def record_checks(self, build_id: str, results: Iterable[CheckResult]) -> None:
        """Records results; a new result of a check replaces the old one."""
        self._execute_many(
            "insert or replace into checks values (?, ?, ?, ?, ?, ?)",
            [(build_id, r.name, r.is_blocking, r.passed, r.detail, now()) for r in results],
        )

    def checks(self, build_id: str) -> list[CheckResult]:
        return self._all(CheckResult, "select * from checks where build_id = ? order by name", build_id)

    def record_metrics(self, build_id: str, metrics: Metrics) -> None:
        """Records the metrics of a build in place of earlier ones, and deletes those of old builds."""
        rows = [(build_id, mart, name, value) for mart, by_name in metrics.items() for name, value in by_name.items()]
        with self._transaction() as connection:
            connection.execute("delete from figures where build_id = ?", (build_id,))
            connection.executemany("insert into figures values (?, ?, ?, ?)", rows)
            connection.execute(
                "delete from figures where build_id not in (select build_id from builds order by rowid desc limit ?)",
                (BUILDS_WITH_METRICS,),
            )

    def published_metrics(self) -> list[BuildMetrics]:
        """The metrics of the published builds in order of publication, without builds that were rolled back from."""
        rows = self._rows(
            "select publications.build_id, data_until, mart, name, value from publications"
            " join builds using (build_id) join figures using (build_id)"
            " where build_id not in (select went_back_from from publications where went_back_from is not null)"
            " order by publication"
        )
        builds: dict[tuple[str, str | None], dict[str, dict[str, float]]] = {}
        for build_id, until, mart, name, value in rows:
            builds.setdefault((build_id, until), {}).setdefault(mart, {})[name] = value
        return [
            BuildMetrics(build_id, date.fromisoformat(until) if until else None, metrics)
            for (build_id, until), metrics in builds.items()
        ]
