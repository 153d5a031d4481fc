"""The command `sendmart reports`: it prints its address, serves the pages there, and ends with Ctrl-C."""

import signal
import socket
import subprocess
from pathlib import Path

import httpx

from tests.running import SENDMART, clean_environment, sendmart
from warehouse.config.settings import PROJECT


def test_the_command_prints_its_address_serves_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    variables = {"SENDMART_DATA": str(tmp_path / "data"), "SENDMART_REPORTS_PORT": str(port)}
    command = [SENDMART, "reports"]
    with subprocess.Popen(command, env=clean_environment(variables), cwd=PROJECT, stdout=subprocess.PIPE) as running:
        try:
            lines = [running.stdout.readline().decode() for _ in range(2)]
            assert "No build has been published yet" in lines[0]
            assert lines[1].startswith(f"Reports: http://127.0.0.1:{port} ")
            response = httpx.get(f"http://127.0.0.1:{port}/", timeout=60)
            assert (response.status_code, "Nothing has been published yet" in response.text) == (503, True)

            again = sendmart(variables, "reports")
            assert (again.returncode, "SENDMART_REPORTS_PORT" in again.stderr) == (1, True)

            running.send_signal(signal.SIGINT)
            assert running.wait(timeout=60) == 0
        finally:
            running.kill()
