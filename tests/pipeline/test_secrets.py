"""Secrets in the environment appear in no file of the data folder, in no output and in no command line of a process.

Not here: how an alert hides the URL of its receiver (`tests/unit/test_alerts.py`).
"""

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import httpx
import pytest

from tests.postgres import postgres
from tests.running import CASES, SENDMART, clean_environment, environment_of, sendmart
from warehouse.config.settings import PROJECT

MARK = "hidden7f3a"
"""A part of every secret here. It is the same in URLs and in quoted text."""

CLOSED_PORT = "127.0.0.1:9"
SECRETS = {
    "SENDMART_ALERTS": f"json://duty:{MARK}password@{CLOSED_PORT}/{MARK}path mailto://duty:{MARK}mail@{CLOSED_PORT}"
    "?from=sendmart@example.com&to=duty@example.com&mode=insecure",
    "SENDMART_SMTP_URL": f"smtp://duty:{MARK}smtp@{CLOSED_PORT}",
    "SENDMART_REPORTS_TOKEN": f"{MARK}-of-the-pages",
    "AWS_ACCESS_KEY_ID": f"{MARK}key",
    "AWS_SECRET_ACCESS_KEY": f"{MARK}secret",
    "AWS_SESSION_TOKEN": f"{MARK}session",
    "DAGSTER_POSTGRES_PASSWORD": f"{MARK}database",
}
STORE = {"AWS_ENDPOINT_URL": f"http://{CLOSED_PORT}", "AWS_REGION": "eu-central-1", "AWS_MAX_ATTEMPTS": "1"}
DATABASE = {
    "DAGSTER_POSTGRES_HOST": "127.0.0.1",
    "DAGSTER_POSTGRES_PORT": "9",
    "DAGSTER_POSTGRES_USER": "dagster",
    "DAGSTER_POSTGRES_DB": "dagster",
}


@contextmanager
def command_lines() -> Iterator[list[str]]:
    """Collects the command lines of processes that hold the mark, while the block runs."""
    lines_with_the_mark: list[str] = []
    is_stopped = threading.Event()

    def look() -> None:
        while not is_stopped.wait(0.2):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    line = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
                except OSError:
                    continue
                if MARK in line:
                    lines_with_the_mark.append(line)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield lines_with_the_mark
    finally:
        is_stopped.set()
        thread.join()


def files_with_the_mark(folder: Path) -> list[str]:
    """The files below a folder that hold the mark; tables of DuckDB, whose files are compressed, row by row."""
    files = [file for file in folder.rglob("*") if file.is_file() and MARK.encode() in file.read_bytes()]
    for file in folder.rglob("*.duckdb"):
        with duckdb.connect() as connection:
            connection.execute(f"attach '{file}' as searched (read_only)")
            tables = connection.execute(
                "select schema_name, table_name from duckdb_tables() where database_name = 'searched'"
            )
            for schema, table in tables.fetchall():
                rows = f'from searched."{schema}"."{table}" as row where contains(row::varchar, $mark) limit 1'
                if connection.execute(rows, {"mark": MARK}).fetchone():
                    files.append(file)
    return sorted({str(file.relative_to(folder)) for file in files})


@pytest.mark.torture
def test_no_command_shows_or_keeps_a_secret(tmp_path: Path) -> None:
    data, home = tmp_path / "data", tmp_path / "home"
    variables = environment_of(data, CASES / "small" / "landing", max_rejected_share="1") | SECRETS | STORE
    home.mkdir()
    shutil.copyfile(PROJECT / "docker" / "dagster.yaml", home / "dagster.yaml")
    unreachable = variables | DATABASE | {"DAGSTER_HOME": str(home)}
    outputs = {}
    with command_lines() as lines_with_the_mark:
        for name, environment, arguments, exit_code in (
            ("alerts that no receiver accepts", variables, ("alert-test",), 1),
            ("a refresh that cannot reach the history", unreachable, ("refresh",), 1),
            (
                "a refresh that cannot reach the store",
                variables | {"SENDMART_EXPORTS": "s3://bucket/x"},
                ("refresh",),
                1,
            ),
            ("a refresh", variables, ("refresh",), 0),
            ("the state", variables, ("status",), 0),
            ("mails that no server accepts", variables | _subscriptions(tmp_path), ("report-mail",), 1),
            ("a short token", variables | {"SENDMART_REPORTS_TOKEN": MARK}, ("status",), 2),
            ("a receiver of no kind", variables | {"SENDMART_ALERTS": f"{MARK}://x"}, ("status",), 2),
        ):
            run = sendmart(environment, *arguments)
            outputs[name] = run.stdout + run.stderr
            assert run.returncode == exit_code, f"{name}: {outputs[name]}"
        outputs["the pages"] = _use_pages(variables)
    assert "Traceback" in outputs["a refresh that cannot reach the history"]
    assert "object-store: " in outputs["a refresh that cannot reach the store"]
    assert [name for name, output in outputs.items() if MARK in output] == []
    assert lines_with_the_mark == []
    assert files_with_the_mark(tmp_path) == []


def _subscriptions(folder: Path) -> dict[str, str]:
    file = folder / "subscriptions.toml"
    file.write_text('[[subscription]]\nname = "Builds"\nto = "ana@example.com"\nevery = "publication"\n')
    return {"SENDMART_REPORT_SUBSCRIPTIONS": str(file), "SENDMART_SMTP_FROM": "sendmart@example.com"}


def _use_pages(variables: dict[str, str]) -> str:
    """Serves the pages, asks for them with and without the token, and returns the output of the server."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [SENDMART, "reports"],
        env=clean_environment(variables | {"SENDMART_REPORTS_PORT": str(port)}),
        cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        output = server.stdout.readline()
        token = SECRETS["SENDMART_REPORTS_TOKEN"]
        credentials = [(None, 401), (("x", f"{MARK}-wrong"), 401), (("x", token), 200)]
        for auth, status in credentials:
            _wait_for(
                lambda auth=auth, status=status: httpx.get(f"http://127.0.0.1:{port}/", auth=auth).status_code == status
            )
    finally:
        server.terminate()
    return output + server.communicate()[0]


def _wait_for(condition, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise AssertionError("not in time")


@pytest.mark.torture
def test_the_processes_of_dagster_show_and_keep_no_secret(tmp_path: Path) -> None:
    """`sendmart dev` with a history on PostgreSQL: web server, daemon and code server get the password."""
    data, home = tmp_path / "data", tmp_path / "home"
    home.mkdir()
    shutil.copyfile(PROJECT / "docker" / "dagster.yaml", home / "dagster.yaml")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with postgres(f"{MARK}database") as database, command_lines() as lines_with_the_mark:
        variables = environment_of(data, CASES / "small" / "landing", max_rejected_share="1")
        variables |= SECRETS | STORE | database | {"DAGSTER_HOME": str(home)}
        assert sendmart(variables, "refresh").returncode == 0
        log = tmp_path / "output"
        with log.open("w") as output:
            server = subprocess.Popen(
                [SENDMART, "dev", "--port", str(port)],
                env=clean_environment(variables), cwd=PROJECT, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        try:
            query = {"query": "{workspaceOrError{... on Workspace{locationEntries{loadStatus}}}}"}
            address = f"http://127.0.0.1:{port}/graphql"
            _wait_for(lambda: "LOADED" in httpx.post(address, json=query, timeout=60).text)
            time.sleep(5)  # some ticks of the sensors
        finally:
            os.killpg(server.pid, 15)
            server.wait()
    assert lines_with_the_mark == []
    assert files_with_the_mark(tmp_path) == []
