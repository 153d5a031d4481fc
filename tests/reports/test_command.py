"""`sendmart reports` as its users meet it: it tells the address, serves there, and ends when it is told to."""

import os
import re
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from tests.running import SENDMART, clean_environment, sendmart
from warehouse.settings import PROJECT


def test_it_tells_its_address_serves_there_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    variables = {"SENDMART_DATA": str(tmp_path / "data"), "SENDMART_REPORTS_PORT": "8577"}
    command = [SENDMART, "reports"]
    with subprocess.Popen(command, env=clean_environment(variables), cwd=PROJECT, stdout=subprocess.PIPE) as running:
        assert running.stdout
        said = running.stdout.readline() + running.stdout.readline()
        assert b"Nothing has been published yet" in said
        (address,) = re.findall(r"http://127\.0\.0\.1:8577", said.decode())
        try:
            urllib.request.urlopen(address, timeout=60)
        except urllib.error.HTTPError as error:
            assert error.code == 503
            assert b"Nothing has been published yet" in error.read()

        again = sendmart(variables, "reports")
        assert (again.returncode, "SENDMART_REPORTS_PORT" in again.stderr) == (1, True)

        os.kill(running.pid, signal.SIGINT)
        assert running.wait(timeout=60) == 0
