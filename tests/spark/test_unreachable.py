"""A Spark that does not answer, or cannot be started, ends the refresh with a word on what to do."""

from pathlib import Path

import pytest

from models.error_codes import Code
from tests.running import CASES, environment_of, sendmart


@pytest.mark.parametrize(
    "variables", [{"SENDMART_SPARK_THRIFT": "127.0.0.1:9"}, {"JAVA_HOME": "/nowhere"}], ids=["no server", "no java"]
)
def test_it_is_told(tmp_path: Path, variables: dict[str, str]) -> None:
    environment = environment_of(tmp_path / "data", CASES / "small" / "landing", engine="spark")
    run = sendmart(environment | variables, "refresh")
    assert run.returncode == 1
    assert f"{Code.SPARK_UNREACHABLE}: build: Spark cannot be reached or started" in run.stdout
    assert Code.SPARK_UNREACHABLE.page in run.stdout
