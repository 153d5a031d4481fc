"""A PostgreSQL of a test's own: a new cluster on a free port of this machine, thrown away at the end.

Not here: what Dagster keeps in it (`tests/pipeline/test_postgres.py`).
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

USER, PASSWORD, DATABASE = "dagster", "only here: %40 and spaces", "dagster"


@contextmanager
def postgres(password: str = PASSWORD) -> Iterator[dict[str, str]]:
    """Gives the variables of `docker/dagster.yaml`; skips the test, and says why, where PostgreSQL cannot run."""
    programs = _programs()
    owner = _owner()
    with tempfile.TemporaryDirectory(prefix="sendmart-pg-") as name:
        folder = Path(name)
        password_file = folder / "password"
        password_file.write_text(password)
        if owner:
            shutil.chown(folder, owner)
            shutil.chown(password_file, owner)

        def run(program: str, *arguments: str, **environment: str) -> None:
            subprocess.run(
                [programs / program, *arguments],
                user=owner,
                cwd=folder,
                env={"PATH": os.environ["PATH"], **environment},
                stdout=subprocess.DEVNULL,
                check=True,
            )

        cluster = str(folder / "cluster")
        port = _free_port()
        run(
            *("initdb", "--pgdata", cluster, "--username", USER, "--pwfile", str(password_file)),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--no-sync"),
        )
        server = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        run("pg_ctl", "--pgdata", cluster, "--log", str(folder / "log"), "--options", server, "--wait", "start")
        try:
            run(
                "createdb",
                "--host",
                str(folder),
                "--port",
                str(port),
                "--username",
                USER,
                DATABASE,
                PGPASSWORD=password,
            )
            yield {
                "DAGSTER_POSTGRES_HOST": "127.0.0.1",
                "DAGSTER_POSTGRES_PORT": str(port),
                "DAGSTER_POSTGRES_DB": DATABASE,
                "DAGSTER_POSTGRES_USER": USER,
                "DAGSTER_POSTGRES_PASSWORD": password,
            }
        finally:
            run("pg_ctl", "--pgdata", cluster, "--mode", "immediate", "--wait", "stop")


def _programs() -> Path:
    # Debian keeps them out of PATH, by version.
    initdb = shutil.which("initdb") or next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))), None)
    if initdb is None:
        pytest.skip("PostgreSQL is not installed here: apt-get install postgresql")
    return Path(initdb).resolve().parent


def _owner() -> str | None:
    """Who runs it: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam("postgres")
    except KeyError:
        pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    if not Path(os.devnull).stat().st_mode & 0o002:
        pytest.skip(f"PostgreSQL cannot run here: only root may write to {os.devnull}")
    return "postgres"


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
