"""Kept builds, rollbacks, overrides of the release gate, and interrupted publications."""

import os
import re
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from models.marts import BASE_MARTS, SCHEMA, columns
from orchestration.cli.output import refresh as refresh_output
from orchestration.cli.output.console import console
from orchestration.stages import AppContext
from warehouse.config.paths import DataPaths
from warehouse.config.settings import load_settings
from warehouse.duckdb_tools import attached
from warehouse.ledger import Build, Ledger, Publication, Refresh, now
from warehouse.publish.kept_builds import MANAGED_NAMES, BuildNotFound, KeptBuilds
from warehouse.publish.pointer import is_pointer_current
from warehouse.publish.publication import publish, recover_publication, rollback

A, B, C, D = (f"20260105T03300{number}Z-00000{number}" for number in range(1, 5))


def write_empty_candidate(file: Path) -> Path:
    with duckdb.connect(str(file)) as connection:
        connection.execute(f"create schema {SCHEMA}")
        for mart in BASE_MARTS:
            definition = ", ".join(f"{column.name} {column.sql_type}" for column in columns(mart))
            connection.execute(f"create table {SCHEMA}.{mart} ({definition})")
    return file


class Builds:
    """A data folder in which candidates are made, and published."""

    def __init__(self, data: Path, empty: Path | None = None) -> None:
        self.paths = DataPaths(data)
        self._empty = empty or write_empty_candidate(data.parent / "empty.duckdb")
        self.ledger = Ledger(self.paths.ledger)
        self._made: dict[str, Build] = {}
        self._kept_builds = KeptBuilds(self.paths.kept_builds, self.ledger)

    def make(self, build_id: str, inputs: str | None = None) -> Build:
        """A candidate of this id; its one campaign is named for it."""
        self.paths.candidate.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self._empty, self.paths.candidate)
        with attached(read_only=False, candidate=self.paths.candidate) as connection:
            connection.execute(f"insert into candidate.{SCHEMA}.campaigns (campaign_id) values (?)", [build_id])
        build = Build(build_id, inputs or build_id, None, datetime(2026, 1, 5, tzinfo=UTC))
        if build_id not in self._made:
            self.ledger.record_candidate(build, [], {}, None)
        self._made[build_id] = build
        return build

    def publish(self, *build_ids: str) -> None:
        for build_id in build_ids:
            publish(load_settings(), self.paths, self.ledger, self.make(build_id))

    def rollback(self, build_id: str) -> None:
        rollback(load_settings(), self.paths, self.ledger, build_id)

    @property
    def kept(self) -> list[str]:
        return [publication.build_id for publication in self._kept_builds.publications()]

    @property
    def previous(self) -> str | None:
        return self._kept_builds.previous()

    @property
    def published(self) -> str:
        """The build that readers see: what it says, and what it holds."""
        with attached(published=self.paths.published_marts) as connection:
            (build_id,) = connection.execute("select build_id from published.marts.build_info").fetchone()
            assert connection.execute("select campaign_id from published.marts.campaigns").fetchone() == (build_id,)
        return build_id

    def file(self, build_id: str) -> Path:
        return self.paths.kept_builds / f"{build_id}.duckdb"


@pytest.fixture(scope="module")
def empty_candidate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A candidate without rows."""
    return write_empty_candidate(tmp_path_factory.mktemp("empty") / "candidate.duckdb")


@pytest.fixture
def builds(tmp_path: Path, bare_environment, empty_candidate: Path) -> Builds:
    return Builds(tmp_path / "data", empty_candidate)


def test_a_build_with_whole_numbers_is_not_rolled_back_to_if_numbers_are_masked(builds: Builds, monkeypatch) -> None:
    builds.publish(A, B)
    monkeypatch.setenv("SENDMART_MASK_PHONE_NUMBERS", "true")
    with pytest.raises(BuildNotFound, match="whole numbers"):
        builds.rollback(A)
    assert builds.published == B
    builds.publish(C, D)
    builds.rollback(C)
    assert builds.published == C


def test_a_damaged_build_is_not_rolled_back_to_and_the_next_publication_deletes_it(builds: Builds) -> None:
    builds.publish(A, B, C)
    builds.file(B).write_bytes(b"no build")
    with pytest.raises(BuildNotFound, match="damaged"):
        builds.rollback(B)
    assert (builds.published, builds.previous) == (C, A)
    builds.publish(D)
    assert builds.kept == [A, C, D]


@pytest.mark.parametrize("is_damaged", [False, True])
def test_the_published_build_is_called_untouched_only_if_it_can_be_read(builds: Builds, is_damaged: bool) -> None:
    builds.publish(A)
    if is_damaged:
        builds.paths.published_marts.write_bytes(b"no build")
    warehouse = AppContext(load_settings(), builds.paths, builds.ledger)
    with console.capture() as printed:
        refresh_output.print_outcome(warehouse, Refresh(now(), now(), "held back", "check-failed: x"))
    assert ("untouched" in printed.get()) != is_damaged
    assert ("cannot be read" in printed.get()) == is_damaged


def test_the_last_builds_are_kept_and_the_current_one_is_the_published_file(builds: Builds, monkeypatch) -> None:
    monkeypatch.setenv("SENDMART_BUILD_RETENTION", "2")
    builds.publish(A, B)
    assert builds.kept == [A, B]
    builds.publish(C)
    assert (builds.kept, builds.published) == ([B, C], C)
    assert sorted(file.name for file in builds.paths.kept_builds.iterdir()) == [f"{B}.duckdb", f"{C}.duckdb"]
    assert builds.file(C).samefile(builds.paths.published_marts)
    monkeypatch.setenv("SENDMART_BUILD_RETENTION", "1")
    builds.publish(D)
    assert builds.kept == [D]


def test_only_builds_are_pruned(builds: Builds) -> None:
    builds.publish(A)
    for name in ("notes.txt", "mine.duckdb", f".{B}.tmp", f"{C}.duckdb", f"{A}.duckdb.wal"):
        (builds.paths.kept_builds / name).touch()
    builds.publish(D)
    left = {file.name for file in builds.paths.kept_builds.iterdir()}
    assert left == {"notes.txt", "mine.duckdb", f"{A}.duckdb", f"{D}.duckdb"}


def test_a_build_of_a_release_that_kept_none_is_kept(builds: Builds) -> None:
    builds.publish(A)
    builds.file(A).unlink()
    builds.publish(B)
    assert builds.kept == [A, B]


def test_without_hard_links_builds_are_copied(builds: Builds, monkeypatch) -> None:
    def refused(*_args) -> None:
        raise OSError("no such thing here")

    monkeypatch.setattr(os, "link", refused)
    builds.publish(A, B)
    builds.rollback(A)
    assert builds.published == A
    assert not builds.file(A).samefile(builds.paths.published_marts)


def test_a_rollback_is_a_publication_of_the_earlier_build(builds: Builds) -> None:
    builds.publish(A, B)
    (builds.paths.published_marts.with_name("sendmart.duckdb.wal")).write_bytes(b"of a reader who wrote")
    builds.rollback(A)
    assert (builds.published, builds.kept) == (A, [B, A])
    assert [(publication.build_id, publication.rolled_back_from) for publication in builds.ledger.publications()] == [
        *((A, None), (B, None), (A, B)),
    ]
    assert builds.ledger.last_publication()[0] == A
    assert not list(builds.paths.published_marts.parent.glob("*.wal"))
    builds.publish(C)
    assert (builds.published, builds.kept) == (C, [B, A, C])


@pytest.mark.parametrize("build_id", ["nonsense", "../marts", C, B])
def test_a_rollback_to_an_unknown_or_to_the_published_build_is_refused(builds: Builds, build_id: str) -> None:
    builds.publish(A, B)
    with pytest.raises(BuildNotFound):
        builds.rollback(build_id)
    assert (builds.published, len(builds.ledger.publications())) == (B, 2)


def test_a_rollback_skips_builds_that_were_rolled_back_from(builds: Builds) -> None:
    assert builds.previous is None
    builds.publish(A)
    assert builds.previous is None
    builds.publish(B, C)
    assert builds.previous == B
    builds.rollback(B)
    assert builds.previous == A, "not forward to C"
    builds.rollback(A)
    assert builds.previous is None
    builds.publish(D)
    assert builds.previous == A, "B and C were rolled back from"
    builds.file(A).unlink()
    assert builds.previous is None


def test_after_a_kill_the_ledger_follows_the_published_file(builds: Builds, monkeypatch) -> None:
    builds.publish(A)
    with monkeypatch.context() as killed:
        killed.setattr(Ledger, "record_publication", lambda *_args, **_named: None)
        builds.publish(B)
    recover_publication(builds.paths, builds.ledger)
    assert [(publication.build_id, publication.rolled_back_from) for publication in builds.ledger.publications()] == [
        (A, None),
        (B, None),
    ]
    with monkeypatch.context() as killed:
        killed.setattr(Ledger, "record_publication", lambda *_args, **_named: None)
        builds.publish(B)
        builds.rollback(A)
    for _ in range(2):
        recover_publication(builds.paths, builds.ledger)
        assert builds.ledger.publications()[-1].rolled_back_from == B
        assert builds.ledger.last_publication()[0] == builds.published == A


# Withdrawals and overrides


def test_a_build_that_was_rolled_back_from_is_withdrawn_until_it_is_published_again(builds: Builds) -> None:
    builds.publish(A, B)
    assert builds.ledger.withdrawal(B) is None
    builds.rollback(A)
    assert builds.ledger.withdrawal(B) == builds.ledger.publications()[-1]
    assert builds.ledger.withdrawal(A) is None
    builds.publish(B)
    assert builds.ledger.withdrawal(B) is None


def test_a_build_with_the_same_inputs_is_withdrawn_too_and_one_with_others_is_not(builds: Builds) -> None:
    builds.publish(A, B)
    builds.rollback(A)
    builds.make(C, inputs=B)
    builds.make(D)
    assert builds.ledger.withdrawal(C).rolled_back_from == B
    assert builds.ledger.withdrawal(D) is None
    builds.rollback(B)
    assert builds.ledger.withdrawal(C) is None, "a build with its inputs is published"


def test_an_override_is_for_one_build_and_its_reason_is_published(builds: Builds) -> None:
    builds.ledger.override(A, "a known gap", ["file-refused: x"])
    builds.ledger.override(A, "and another", ["check-failed: y"])
    assert [(override.reason, override.overridden) for override in builds.ledger.overrides(A)] == [
        ("a known gap", ("file-refused: x",)),
        ("and another", ("check-failed: y",)),
    ]
    assert builds.ledger.overrides(B) == []
    for build_id, reason in ((A, "and another"), (B, None)):
        builds.publish(build_id)
        with duckdb.connect(str(builds.paths.published_marts), read_only=True) as connection:
            assert connection.execute("select override_reason from marts.build_info").fetchone() == (reason,)


# Exports


def test_a_build_is_exported_again_after_a_rollback_if_another_was_exported_in_between(tmp_path: Path) -> None:
    ledger, at = Ledger(tmp_path / "ledger.sqlite"), datetime(2026, 1, 5, tzinfo=UTC)
    ledger.record_export("campaign_metrics", "1.csv", A, at, {})
    ledger.record_unchanged("skip_reasons", A)
    ledger.record_export("campaign_metrics", "2.csv", B, at, {})
    assert ledger.exported_reports(A) == {"skip_reasons"}, "and nothing of B has taken its place"
    ledger.record_unchanged("skip_reasons", B)
    assert (ledger.exported_reports(A), ledger.exported_reports(B)) == (set(), {"campaign_metrics", "skip_reasons"})
    ledger.record_unchanged("skip_reasons", A)
    assert ledger.exported_reports(A) == {"skip_reasons"}


# Ledgers of earlier releases


def test_a_ledger_that_could_publish_a_build_only_once_is_migrated(tmp_path: Path) -> None:
    file, at = tmp_path / "ledger.sqlite", datetime(2026, 1, 5, tzinfo=UTC)
    with sqlite3.connect(file) as connection:
        connection.execute("create table publications (build_id text primary key, published_at text not null)")
        for build_id in (B, A):
            connection.execute("insert into publications values (?, ?)", (build_id, at.isoformat()))
    connection.close()
    for _ in range(2):
        assert Ledger(file).publications() == [Publication(B, at, None), Publication(A, at, None)]
    Ledger(file).record_publication(B, at, rolled_back_from=A)
    assert Ledger(file).last_publication() == (B, at)


def test_the_name_of_a_new_build_can_be_pruned() -> None:
    from warehouse.transform.build import new_build_id

    assert re.fullmatch(MANAGED_NAMES, f"{new_build_id()}.duckdb")


OTHER_SHAPES = [
    b"",
    b"\xff",
    b"[",
    b"null",
    b"7",
    b'"text"',
    b"[]",
    b"[1]",
    b"{}",
    b'{"build_id": 1}',
    b'{"marts": []}',
    pytest.param(b"[" * 200_000, id="deeply nested"),
]


@pytest.mark.parametrize("content", OTHER_SHAPES)
def test_a_pointer_of_another_shape_is_written_again(builds: Builds, content: bytes) -> None:
    builds.publish(A)
    original = builds.paths.current.read_bytes()
    assert is_pointer_current(builds.paths, A)
    builds.paths.current.write_bytes(content)
    assert not is_pointer_current(builds.paths, A)
    recover_publication(builds.paths, builds.ledger)
    assert builds.paths.current.read_bytes() == original


@pytest.mark.parametrize("marts", ["null", "[]", '"text"', '{"file": null}'])
def test_a_pointer_with_marts_of_another_shape_is_written_again(builds: Builds, marts: str) -> None:
    builds.publish(A)
    builds.paths.current.write_text(f'{{"build_id": "{A}", "marts": {marts}}}')
    assert not is_pointer_current(builds.paths, A)
