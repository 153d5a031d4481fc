"""What installing Spark beside everything else must not change."""

import subprocess
import sys

from tests.running import SENDMART, clean_environment


def test_commands_do_not_import_spark() -> None:
    shown = subprocess.run([SENDMART, "--help"], env=clean_environment({}), capture_output=True, text=True, check=True)
    assert shown.stderr == ""
    assert "Usage" in shown.stdout


def test_the_audit_works_with_pyspark_installed() -> None:
    # Without a main module of its own, like the processes in which Dagster's server has runs at work.
    command = [sys.executable, "-c", "import great_expectations; print('still there')"]
    run = subprocess.run(command, env=clean_environment({}), capture_output=True, text=True)
    assert run.stdout == "still there\n", run.stderr
