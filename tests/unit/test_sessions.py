"""DuckDB sessions: the database behind a session is kept for the next one, which sees nothing of the first."""

import os
import signal
from pathlib import Path

import duckdb
import pytest

from warehouse.duckdb_tools import apply_limits, attached, new_session
from warehouse.duckdb_tools.session import _unused

LEFT_OVERS = {
    "nothing": ("select 1", True),
    "a temporary table": ("create temp table left_over as select 1", True),
    "a temporary macro": ("create temp macro left_over(value) as value", True),
    "a database that is attached and used": ("attach ':memory:' as other; use other; create table t (i integer)", True),
    "an open transaction": ("attach ':memory:' as other; begin; create table other.t (i integer)", True),
    "settings": ("set threads = 1; set memory_limit = '1GB'; set TimeZone = 'Asia/Tokyo'", True),
    "a spill directory": ("set temp_directory = '{folder}'; set preserve_insertion_order = false", True),
    "a table": ("create table left_over (i integer)", False),
    "a view": ("create view left_over as select 1", False),
    "a secret": ("create secret left_over (type http, bearer_token 'x')", False),
}
STATE = """
    select (select list(concat(name, ' ', value) order by name) from duckdb_settings()), (select count(*) from duckdb_tables()),
        (select list(database_name order by database_name) from duckdb_databases()), (select count(*) from duckdb_secrets()),
        (select count(*) from duckdb_functions() where function_name = 'left_over'), current_database()
"""


def unused() -> list[duckdb.DuckDBPyConnection]:
    return _unused.setdefault(os.getpid(), [])


@pytest.fixture(autouse=True)
def no_earlier_session() -> None:
    unused().clear()


@pytest.mark.parametrize("left_over", LEFT_OVERS)
def test_a_session_sees_nothing_of_an_earlier_one(left_over: str, tmp_path: Path) -> None:
    statement, is_kept = LEFT_OVERS[left_over]
    with new_session() as session:
        new = session.execute(STATE).fetchone()
    with new_session() as session:
        session.execute(statement.format(folder=tmp_path))
    assert bool(unused()) == is_kept
    with new_session() as session:
        assert session.execute(STATE).fetchone() == new


def test_a_session_that_ends_with_an_error_is_not_used_again(tmp_path: Path) -> None:
    with pytest.raises(duckdb.Error), attached(read_only=False, build=tmp_path / "build.duckdb") as session:
        session.execute("create table build.t as select 1; select * from missing")
    assert not unused()
    with attached(build=tmp_path / "build.duckdb") as session:
        assert session.execute("from build.t").fetchall() == [(1,)]


def test_two_sessions_at_once_have_their_own_databases(tmp_path: Path) -> None:
    for name in ("one", "other"):
        duckdb.connect(str(tmp_path / name)).execute(f"create table t as select '{name}' as name")
    for _ in range(2):
        with attached(file=tmp_path / "one") as one, attached(file=tmp_path / "other") as other:
            assert [session.execute("from file.t").fetchall() for session in (one, other)] == [[("one",)], [("other",)]]
    assert len(unused()) == 2


def test_a_file_is_closed_and_whole_after_a_session(tmp_path: Path) -> None:
    file, table = tmp_path / "build.duckdb", tmp_path / "table.parquet"
    for number in range(3):
        file.unlink(missing_ok=True)
        with attached(read_only=False, build=file) as session:
            session.execute(f"create table build.t as select {number} as number; copy build.t to '{table}'")
            assert session.execute(f"from '{table}'").fetchall() == [(number,)]
        assert {path.name for path in tmp_path.iterdir()} == {file.name, table.name}, "no write-ahead log"
        with duckdb.connect(str(file)) as elsewhere:
            assert elsewhere.execute("from t").fetchall() == [(number,)]


def test_limits_of_a_session_end_with_it(tmp_path: Path) -> None:
    class Limits:
        memory_limit, threads, scratch = "1GiB", 1, tmp_path / "spill"

    query = "select current_setting('memory_limit'), current_setting('threads'), current_setting('temp_directory')"
    with new_session() as session:
        apply_limits(session, Limits())
        rows = "select range as i, md5(range::varchar) as h from range(2_000_000)"
        session.execute(f"set memory_limit = '60MB'; create temp table spilled as {rows}")
        assert session.execute(query).fetchone()[2] == str(Limits.scratch)
    with new_session() as session:
        limits = session.execute(query).fetchone()
    assert limits == duckdb.connect().execute(query).fetchone()


def test_a_forked_process_neither_uses_nor_closes_the_databases_of_its_parent(tmp_path: Path) -> None:
    with attached(read_only=False, build=tmp_path / "build.duckdb") as session:
        session.execute("create table build.t as select 1")
    (kept,) = unused()
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # instead of waiting for threads that it does not have
        with attached(build=tmp_path / "build.duckdb") as session:
            os._exit(0 if session.execute("from build.t").fetchall() == [(1,)] else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert unused() == [kept]
