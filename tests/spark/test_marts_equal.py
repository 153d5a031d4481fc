"""The same landing zone gives the same marts on both engines: every row, every value, every type.

Not here: what the marts must hold (`tests/cases`, `tests/oracle`), what else a refresh does (`tests/pipeline`).
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from models.marts import BASE_MARTS, DBT_MARTS, INSIGHTS, MARTS, SCHEMA, columns, qualified
from tests.oracle.compare import ABSOLUTE_TOLERANCES, QUARANTINE_TABLES, RELATIVE_TOLERANCE, differences, read_mart
from tests.oracle.landing_zones import write_landing_zone
from tests.running import CASES, environment_of, mart_rows, rejected_rows, sendmart
from tests.spark.cluster import QUICK_JAVA, Cluster

THE_CASES = ["small", "wide", "insights"]
LARGER = "larger"
SENDS = 100_000
"""Of the larger zone: a night's work in more than one task. The sample brings bad rows along."""
STORIES = 250
"""Beside the sample: generated events with the values at the limits of every rule, and a bad day at one provider."""
AGENTS = ("Mimecaſt", "BarracudA", "Proofpoint", "SSL Labs\N{LINE SEPARATOR}", "SSL Labs", "x 100%'\\")
"""User agents that the regular expressions of DuckDB, Java and SQL literals could see differently."""

ON_SPARK = ["cluster", "session"]
NONE = (0, 0, 0)


@dataclass(frozen=True)
class Published:
    """The published files of a landing zone by engine: `duckdb` or one of ON_SPARK."""

    landing: Path
    files: dict[str, Path]


@pytest.fixture(scope="module", params=[*THE_CASES, LARGER])
def published(request: pytest.FixtureRequest, spark: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Published:
    """Each of the zones refreshed on both engines, and on Spark both ways: at once, since each waits much."""
    folder = tmp_path_factory.mktemp(request.param)
    landing = CASES / request.param / "landing"
    if request.param == LARGER:
        landing = folder / "landing"
        _run({}, "sample", "--sends", str(SENDS), "--to", str(landing))
        write_landing_zone(landing, seed=1, stories=STORIES, crowd=True)
        clicks = [
            f"agent-{number},agents,a{number},2026-01-15T10:00:00Z,{agent}" for number, agent in enumerate(AGENTS)
        ]
        lines = ["click_id,campaign_id,contact_id,clicked_at,user_agent", *clicks]
        (landing / "clicks" / "2026-01-15.agents.csv").write_text("\n".join(lines), encoding="utf-8")
    engines = {
        "duckdb": {},
        "cluster": {"engine": "spark", "spark_thrift": spark.thrift},
        "session": {"engine": "spark"},
    }

    def refreshed(engine: str) -> Path:
        data = folder / engine
        variables = environment_of(data, landing, max_rejected_share="1", insights="true", **engines[engine])
        _run(variables | QUICK_JAVA, "refresh")
        return data / "published" / "sendmart.duckdb"

    with ThreadPoolExecutor() as pool:
        return Published(landing, dict(zip(engines, pool.map(refreshed, engines), strict=True)))


@pytest.mark.parametrize("engine", ON_SPARK)
def test_the_published_file_equals_the_one_built_on_duckdb(published: Published, engine: str) -> None:
    assert rejected_rows(published.files[engine].with_name("quarantine.duckdb")), "bad rows are among them"
    with duckdb.connect() as connection:
        for name in ("duckdb", engine):
            connection.execute(f"attach '{published.files[name]}' as by_{name} (read_only)")
        may_be_empty = () if published.landing == CASES / "insights" / "landing" else INSIGHTS
        for mart in DBT_MARTS:
            expected, actual = f"by_duckdb.{qualified(mart)}", f"by_{engine}.{qualified(mart)}"
            assert mart in may_be_empty or connection.execute(f"from {expected} limit 1").fetchall(), mart
            assert _columns(connection, actual) == _columns(connection, expected), mart
            assert _rows_apart(connection, mart, expected, actual) == NONE, mart


def test_tables_in_spark_equal_the_marts_built_on_duckdb(published: Published, spark: Cluster, tmp_path: Path) -> None:
    with duckdb.connect() as connection, spark.connect() as cursor:
        connection.execute(f"attach '{published.files['duckdb']}' as by_duckdb (read_only)")
        for mart in DBT_MARTS:
            file = tmp_path / f"{mart}.parquet"
            connection.execute(f"copy by_duckdb.{qualified(mart)} to '{file}'")
            expected, actual = f"parquet.`{file}`", f"{SCHEMA}.{mart}"
            assert _columns(cursor, actual) == _columns(cursor, expected), mart
            assert _rows_apart(cursor, mart, expected, actual) == NONE, mart


@pytest.mark.parametrize("published", THE_CASES, indirect=True)
@pytest.mark.parametrize("engine", ON_SPARK)
def test_every_mart_of_a_case_equals_the_expected_rows(published: Published, engine: str) -> None:
    expected = {
        file.stem: read_mart(file)
        for schema in ("marts", "insights")
        for file in (published.landing.parent / schema).glob("*.csv")
        if file.stem not in QUARANTINE_TABLES
    }
    assert BASE_MARTS.keys() - expected.keys() <= {"campaign_clicks_hourly", "campaign_clicks_by_minute"}
    messages_by_mart = {
        mart: differences(rows, mart_rows(published.files[engine], mart)) for mart, rows in expected.items()
    }
    assert {mart: messages for mart, messages in messages_by_mart.items() if messages} == {}


def _run(variables: dict[str, str], *arguments: str) -> None:
    run = sendmart(variables, *arguments)
    assert run.returncode == 0, run.stdout + run.stderr


# In SQL that both engines understand; `cursor` is of either.


def _columns(cursor: Any, table: str) -> list[tuple[str, str]]:
    """Name and type of each column, in order."""
    cursor.execute(f"describe select * from {table}")
    return [(name, of_type) for name, of_type, *_ in cursor.fetchall()]


def _rows_apart(cursor: Any, mart: str, one: str, other: str) -> tuple[int, int, int]:
    """How many rows only the one has, how many only the other, and how many of both have doubles that differ. In insights,
    sums of doubles depend on their order: they may differ within the tolerance, all else may not.
    """
    near = [column.name for column in columns(mart) if column.sql_type == "double" and mart in INSIGHTS]
    exact = ", ".join(column.name for column in columns(mart) if column.name not in near)
    on_key = " and ".join(f"one.{name} is not distinct from other.{name}" for name in MARTS[mart].key)
    apart = " or ".join(f"not {_are_near(name)}" for name in near) or "false"
    counts = []
    for query in (
        f"(select {exact} from {one} except all select {exact} from {other}) as apart",
        f"(select {exact} from {other} except all select {exact} from {one}) as apart",
        f"{one} as one inner join {other} as other on {on_key} where {apart}",
    ):
        cursor.execute(f"select count(*) from {query}")
        counts.append(cursor.fetchall()[0][0])
    return tuple(counts)


def _are_near(name: str) -> str:
    """The condition that a column has nearly the same value in `one` and `other`, as the oracle compares it."""
    one, other = f"one.{name}", f"other.{name}"
    tolerance = ABSOLUTE_TOLERANCES.get(name, f"{RELATIVE_TOLERANCE} * greatest(abs({one}), abs({other}))")
    return f"({one} is not distinct from {other} or coalesce(abs({one} - {other}) <= {tolerance}, false))"
