"""Packages in both lock files have the same version, so Spark can be installed into an existing environment."""

import re

from warehouse.config.settings import PROJECT


def _pinned(lock: str) -> dict[str, str]:
    """Versions by package; what is not meant for every platform counts as another package for each."""
    lines = (PROJECT / lock).read_text(encoding="utf-8").splitlines()
    matches = [re.fullmatch(r"([\w.-]+)(?:\[[^]]*])?==(\S+)( ; .+)? \\", line) for line in lines]
    return {f"{line[1]}{line[3] or ''}": line[2] for line in matches if line}


def test_spark_changes_no_version_of_what_everybody_has() -> None:
    default, spark = _pinned("requirements.lock"), _pinned("requirements-spark.lock")
    both = default.keys() & spark.keys()
    assert {"dbt-core", "pyarrow"} <= both
    assert {name: spark[name] for name in both} == {name: default[name] for name in both}
    assert "pyspark" in spark.keys() - default.keys()
