"""What installing Spark beside everything else must not change."""

import subprocess

from tests.running import SENDMART, clean_environment


def test_commands_do_not_speak_of_spark() -> None:
    shown = subprocess.run([SENDMART, "--help"], env=clean_environment({}), capture_output=True, text=True, check=True)
    assert shown.stderr == ""
    assert "Usage" in shown.stdout
