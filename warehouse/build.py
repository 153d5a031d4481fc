"""The build: dbt, run inside this process, computes the marts of a candidate from the lake and tests them.

A candidate is two DuckDB files: `build.duckdb` for staging and intermediate models and the rows that failed a test,
`candidate.duckdb` for the marts. They are made anew; nobody but the audit and a curious person reads them. What the
candidate was made of is noted when, and only when, every model was built.

Not here: the models (`dbt_project/`), what holds a candidate back (`quality.gate`), publication.
"""

import hashlib
import json
import logging
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb

from models.checks import CheckResult
from warehouse.ledger import Build, Ledger, now
from warehouse.paths import DataPaths
from warehouse.preview import preview
from warehouse.settings import DBT_PREFIX, PROJECT, Settings
from warehouse.sql import literal

DBT_PROJECT = PROJECT / "dbt_project"
CANDIDATE_DATABASE = "candidate"
CANDIDATE_SCHEMA = f"{CANDIDATE_DATABASE}.marts"

SLOW_MODEL_SECONDS = 1.0

log = logging.getLogger("sendmart.build")


class BuildFailed(Exception):
    """A model could not be built; what was published stays as it is."""


@dataclass(frozen=True)
class BuiltNode:
    """A model or seed that was built."""

    unique_id: str
    name: str
    seconds: float


def sendmart_version() -> str:
    return version("sendmart")


def inputs(settings: Settings, ledger: Ledger) -> str:
    """A fingerprint of all that a build depends on: files, settings that alter figures, models, vocabulary, version."""
    digest = hashlib.sha256()
    digest.update(ledger.files_fingerprint().encode())
    digest.update(f"{ledger.data_until()} {sendmart_version()}".encode())
    digest.update(json.dumps(settings.altering_figures(), sort_keys=True).encode())
    for file in _project_files():
        digest.update(file.read_bytes())
    return digest.hexdigest()


def is_current(settings: Settings, paths: DataPaths, ledger: Ledger) -> bool:
    """Whether the candidate at hand is what a build would give now."""
    build = ledger.candidate()
    return build is not None and paths.candidate.exists() and build.inputs == inputs(settings, ledger)


def run_models(settings: Settings, paths: DataPaths, ledger: Ledger) -> tuple[Build, list[BuiltNode]]:
    """Builds a candidate anew and notes it.

    Raises:
        BuildFailed: with the models that failed and dbt's words.
    """
    made_of = inputs(settings, ledger)
    ledger.forget_candidate()
    for file in (paths.build, paths.candidate):
        for part in (file, file.with_name(f"{file.name}.wal")):
            part.unlink(missing_ok=True)
    results = run_dbt(settings, paths, ["build", "--resource-type", "seed", "--resource-type", "model"])
    failed = [result for result in results if result.status not in ("success", "pass")]
    if failed:
        words = "; ".join(f"{result.node.name}: {_first_line(result.message)}" for result in failed if result.message)
        raise BuildFailed(f"{len(failed)} of {len(results)} models were not built: {words}")
    build = Build(_new_build_id(), made_of, ledger.data_until(), now())
    ledger.note_candidate(build)
    return build, [
        BuiltNode(result.node.unique_id, result.node.name, round(result.execution_time, 3)) for result in results
    ]


def run_tests(settings: Settings, paths: DataPaths) -> dict[str, CheckResult]:
    """Runs the dbt tests on the candidate; results by the tests' unique ids. Failing rows are kept in the build file."""
    results = run_dbt(settings, paths, ["test", "--exclude-resource-type", "unit_test", "--store-failures"])
    return {result.node.unique_id: _check_result(result) for result in results}


def expected_tests(paths: DataPaths) -> set[str]:
    """The names of the dbt tests that a candidate must have been held to."""
    manifest = json.loads((paths.dbt_target / "manifest.json").read_text())
    return {node["name"] for node in manifest["nodes"].values() if node["resource_type"] == "test"}


def dbt_manifest(settings: Settings, paths: DataPaths) -> Path:
    """dbt's manifest of the project, parsed anew where a file of the project is younger than it.

    Raises:
        BuildFailed: the project cannot be parsed.
    """
    manifest = paths.dbt_target / "manifest.json"
    if not _is_whole(manifest) or any(file.stat().st_mtime > manifest.stat().st_mtime for file in _project_files()):
        # As a build would: the build after it finds everything parsed.
        run_dbt(settings, paths, ["parse"])
    return manifest


@dataclass(frozen=True)
class BuiltMart:
    """A mart of the candidate: how many rows it has, and a few of them as Markdown."""

    rows: int
    preview: str


def built_marts(paths: DataPaths) -> dict[str, BuiltMart]:
    """What the candidate holds, by mart."""
    with duckdb.connect() as connection:
        attach_candidate(connection, paths)
        marts = connection.execute(
            "select table_name from duckdb_tables() where database_name = ? and schema_name = 'marts' order by 1",
            [CANDIDATE_DATABASE],
        ).fetchall()
        return {
            mart: BuiltMart(
                connection.execute(f'select count(*) from {CANDIDATE_SCHEMA}."{mart}"').fetchone()[0],
                preview(connection, f'{CANDIDATE_SCHEMA}."{mart}"'),
            )
            for (mart,) in marts
        }


def attach_candidate(connection: duckdb.DuckDBPyConnection, paths: DataPaths) -> None:
    """Gives a connection read access to the candidate's marts, as `candidate.marts`."""
    connection.execute(f"attach {literal(paths.candidate)} as {CANDIDATE_DATABASE} (read_only)")


def _project_files() -> list[Path]:
    """What the dbt project is made of, in a fixed order; not what dbt writes beside it."""
    files = (file for file in DBT_PROJECT.rglob("*") if file.suffix in (".sql", ".yml", ".csv"))
    return sorted(file for file in files if file.relative_to(DBT_PROJECT).parts[0] not in ("target", "logs"))


def _is_whole(manifest: Path) -> bool:
    """Whether it is there, and was not cut off by a kill or a full disk while dbt wrote it."""
    try:
        json.loads(manifest.read_bytes())
    except (OSError, ValueError):
        return False
    return True


def _new_build_id() -> str:
    return f"{now():%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def _check_result(result: Any) -> CheckResult:
    passed = result.status == "pass"
    detail = "" if passed else _first_line(result.message)
    if not passed and result.failures:
        _, _, table = str(result.node.relation_name).partition(".")
        detail = f"{result.failures} rows, to be seen in warehouse/build.duckdb: from {table}"
    return CheckResult(result.node.name, result.node.config.severity.lower() == "error", passed, detail)


def _first_line(message: str | None) -> str:
    return " ".join((message or "").split())[:500]


def dbt_arguments(settings: Settings, paths: DataPaths) -> list[str]:
    """What every dbt command of the project is given: where its files are, and the settings in force."""
    variables = {"lake_path": str(paths.lake), **settings.altering_figures()}
    return [
        *("--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)),
        *("--target-path", str(paths.dbt_target), "--log-path", str(paths.dbt_target / "logs")),
        *("--vars", json.dumps(variables, sort_keys=True)),
    ]


def dbt_environment(settings: Settings, paths: DataPaths) -> dict[str, str]:
    """The variables that `dbt_project/profiles.yml` reads."""
    return {
        f"{DBT_PREFIX}BUILD": str(paths.build),
        f"{DBT_PREFIX}CANDIDATE": str(paths.candidate),
        f"{DBT_PREFIX}MEMORY_LIMIT": settings.memory_limit,
        f"{DBT_PREFIX}THREADS": str(settings.threads),
        f"{DBT_PREFIX}TEMP_DIRECTORY": str(paths.scratch),
    }


def run_dbt(settings: Settings, paths: DataPaths, command: list[str]) -> list[Any]:
    """Runs a dbt command on the data folder and gives the results of its nodes."""
    paths.scratch.mkdir(parents=True, exist_ok=True)
    with _environment(dbt_environment(settings, paths)):
        outcome = _run([*command, *dbt_arguments(settings, paths)])
        return list(getattr(outcome, "results", ()))


def _run(command: list[str]) -> Any:
    """Runs dbt in this process.

    Raises:
        BuildFailed: dbt could not even start: a faulty project, a locked file.
    """
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    try:
        outcome = dbtRunner(callbacks=[_progress()]).invoke([*command, "--quiet", "--log-level", "none"])
    finally:
        # The files are to be opened by others, and renamed: nobody may hold on to them.
        DuckDBConnectionManager.close_all_connections()
    if outcome.exception is not None or outcome.result is None:
        raise BuildFailed(f"dbt {command[0]}: {_first_line(str(outcome.exception))}")
    return outcome.result


def _progress() -> Callable[[Any], None]:
    """Tells the log about each model as it is done; quick ones only to those who want to know everything."""

    def tell(event: Any) -> None:
        if event.info.name == "LogModelResult":
            is_slow = event.data.execution_time >= SLOW_MODEL_SECONDS
            name, status = event.data.node_info.node_name, event.data.status.lower()
            log.log(
                logging.INFO if is_slow else logging.DEBUG, "%s %s in %.1f s", name, status, event.data.execution_time
            )

    return tell


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
