"""A warehouse that moves to Spark and back, as `docs/scaling.md` says, comes to what one that never moved comes to."""

import shutil
from pathlib import Path

import duckdb

from models.enums import Log
from models.marts import BASE_MARTS
from tests.running import CASES, environment_of, sendmart
from tests.spark.cluster import Cluster


def test_moving_to_spark_and_back_keeps_the_figures(tmp_path: Path, spark: Cluster) -> None:
    whole = CASES / "wide" / "landing"
    landing, data = tmp_path / "landing", tmp_path / "data"
    on_spark = {"engine": "spark", "spark_thrift": spark.thrift, "spark_schema": "there_and_back"}
    days = sorted({_day(file) for log in Log for file in (whole / log).iterdir()})
    first, second, third = (days[: len(days) // 3], days[len(days) // 3 : -3], days[-3:])

    _drop(whole, landing, first)
    _refresh(data, landing)
    # The same files: nothing but the engine is another.
    _refresh(data, landing, **on_spark)
    assert _differences(data) == []
    _drop(whole, landing, second)
    _refresh(data, landing, **on_spark)
    _refresh(data, landing)
    assert _differences(data) == []
    _drop(whole, landing, third)
    _refresh(data, landing)

    _refresh(tmp_path / "never-moved", landing)
    assert (
        _apart(data / "published" / "sendmart.duckdb", tmp_path / "never-moved" / "published" / "sendmart.duckdb") == []
    )


def _day(file: Path) -> str:
    return file.name[:10]


def _drop(whole: Path, landing: Path, days: list[str]) -> None:
    """The files of these days arrive."""
    for log in Log:
        for file in (whole / log).iterdir():
            if _day(file) in days:
                copy = shutil.copytree if file.is_dir() else shutil.copyfile
                (landing / log).mkdir(parents=True, exist_ok=True)
                copy(file, landing / log / file.name)


def _refresh(data: Path, landing: Path, **settings: str) -> None:
    _sendmart(data, landing, "refresh", **settings)


def _sendmart(data: Path, landing: Path, *arguments: str, **settings: str) -> str:
    run = sendmart(environment_of(data, landing, max_rejected_share="1", **settings), *arguments)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def _differences(data: Path) -> list[str]:
    """The marts that differ between the last two builds that were published."""
    earlier, later = sorted((data / "published" / "builds").glob("*.duckdb"), key=lambda file: file.name)[-2:]
    return _apart(earlier, later)


def _apart(one: Path, other: Path) -> list[str]:
    with duckdb.connect() as connection:
        connection.execute(f"attach '{one}' as one (read_only); attach '{other}' as other (read_only)")
        return [
            mart
            for mart in BASE_MARTS
            for here, there in (("one", "other"), ("other", "one"))
            if connection.execute(f"from {here}.marts.{mart} except all from {there}.marts.{mart} limit 1").fetchone()
        ]
