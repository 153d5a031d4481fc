"""The same landing zone gives the same marts on both engines: every row, every value, every type.

Not here: what the marts must hold (`tests/cases`, `tests/oracle`), what else a refresh does (`tests/pipeline`).
"""

from pathlib import Path
from typing import Any

import duckdb
import pytest

from models.marts import DBT_MARTS, SCHEMA
from tests.oracle.compare import differences, read_mart
from tests.running import CASES, environment_of, mart_rows, sendmart
from tests.spark.cluster import Cluster

LARGER = "larger"
NONE = (0, 0)
SENDS = 100_000
"""Of the larger zone: more than one file of a table, more than one task of a stage. The sample brings bad rows along."""


@pytest.fixture(scope="module", params=["small", "wide", LARGER])
def landing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A landing zone: either of the cases, and a sample."""
    if request.param != LARGER:
        return CASES / request.param / "landing"
    landing = tmp_path_factory.mktemp(LARGER) / "landing"
    _run({}, "sample", "--sends", str(SENDS), "--to", str(landing))
    return landing


@pytest.fixture(scope="module")
def by_duckdb(landing: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What DuckDB makes of the zone: the published file."""
    return _published(landing, tmp_path_factory.mktemp("duckdb"))


@pytest.fixture(scope="module")
def by_cluster(landing: Path, spark: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the cluster makes of it, through its Thrift server."""
    return _published(landing, tmp_path_factory.mktemp("cluster"), engine="spark", spark_thrift=spark.thrift)


@pytest.fixture(scope="module")
def by_session(landing: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a Spark in the refresh's own process makes of it."""
    return _published(landing, tmp_path_factory.mktemp("session"), engine="spark")


@pytest.fixture(params=["by_cluster", "by_session"])
def by_spark(request: pytest.FixtureRequest) -> Path:
    return request.getfixturevalue(request.param)


def test_what_is_published_is_what_duckdb_publishes(by_duckdb: Path, by_spark: Path) -> None:
    with duckdb.connect() as connection:
        for name, file in (("by_duckdb", by_duckdb), ("by_spark", by_spark)):
            connection.execute(f"attach '{file}' as {name} (read_only)")
        for mart in DBT_MARTS:
            expected, found = f"by_duckdb.{SCHEMA}.{mart}", f"by_spark.{SCHEMA}.{mart}"
            assert _columns(connection, found) == _columns(connection, expected), mart
            assert _rows_apart(connection, expected, found) == NONE, mart


def test_readers_of_the_cluster_find_what_duckdb_publishes(
    by_duckdb: Path, by_cluster: Path, spark: Cluster, tmp_path: Path
) -> None:
    with duckdb.connect() as connection, spark.connect() as cursor:
        connection.execute(f"attach '{by_duckdb}' as by_duckdb (read_only)")
        for mart in DBT_MARTS:
            file = tmp_path / f"{mart}.parquet"
            connection.execute(f"copy by_duckdb.{SCHEMA}.{mart} to '{file}'")
            expected, found = f"parquet.`{file}`", f"{SCHEMA}.{mart}"
            assert _columns(cursor, found) == _columns(cursor, expected), mart
            assert _rows_apart(cursor, expected, found) == NONE, mart


def test_every_mart_of_a_case_holds_what_it_must(landing: Path, by_spark: Path) -> None:
    expected = {
        file.stem: read_mart(file) for file in (landing.parent / "marts").glob("*.csv") if file.stem != "rejected_rows"
    }
    if not expected:
        pytest.skip("nobody has written down what the sample gives")
    found = {mart: differences(rows, mart_rows(by_spark, mart)) for mart, rows in expected.items()}
    assert {mart: told for mart, told in found.items() if told} == {}


def _published(landing: Path, data: Path, **settings: str) -> Path:
    _run(environment_of(data, landing, max_rejected_share="1", **settings), "refresh")
    return data / "published" / "marts.duckdb"


def _run(variables: dict[str, str], *arguments: str) -> None:
    ended = sendmart(variables, *arguments)
    assert ended.returncode == 0, ended.stdout + ended.stderr


# The SQL of both engines; a cursor of either.


def _columns(cursor: Any, table: str) -> list[tuple[str, str]]:
    """Name and type of each column, in order."""
    cursor.execute(f"describe select * from {table}")
    return [(name, of_type) for name, of_type, *_ in cursor.fetchall()]


def _rows_apart(cursor: Any, one: str, other: str) -> tuple[int, int]:
    """How many rows only the one has, and how many only the other."""
    found = []
    for here, there in ((one, other), (other, one)):
        cursor.execute(f"select count(*) from (select * from {here} except all select * from {there}) as apart")
        found.append(cursor.fetchall()[0][0])
    return tuple(found)
