"""Runs dbt in this process on a data folder: its commands, its files, its manifest.

Not here: which models must be rebuilt (`warehouse.transform.fingerprints`), what a candidate is
(`warehouse.transform.build`).
"""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from models.masking import masked, masking_logger
from warehouse.config import DBT_PREFIX, PROJECT, DataPaths, Settings
from warehouse.storage import remove

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

DBT_PROJECT = PROJECT / "dbt_project"
BUILD_DATABASE, CANDIDATE_DATABASE = "build", "candidate"
"""The names of the two files of a candidate in `dbt_project/profiles.yml`."""

SLOW_MODEL_SECONDS = 1.0

log = masking_logger("sendmart.build")


class BuildFailed(Exception):
    """A model could not be built, or dbt could not run. The published build is unchanged."""


def dbt_manifest(settings: Settings, paths: DataPaths) -> dict[str, Any]:
    """dbt's manifest of the current project. The project is parsed if the manifest on disk is another one or incomplete.

    Raises:
        BuildFailed: the project cannot be parsed.
    """
    digest = f"{settings.engine} {project_digest()}"
    _check_seeds()
    if manifest := _parsed(paths, digest):
        return manifest
    # Web server, daemon and refresh may do this at the same time: one parses, the others wait.
    paths.dbt_target.mkdir(parents=True, exist_ok=True)
    with FileLock(paths.dbt_target / ".parsing.lock"):
        if manifest := _parsed(paths, digest):
            return manifest
        # With the arguments of a build, so that the next build need not parse.
        run_dbt(settings, paths, ["parse"])
        _digest_of_parsed(paths).write_text(digest)
        parsed: dict[str, Any] = json.loads(_manifest(paths).read_bytes())
        return parsed


def project_digest() -> str:
    """A digest of the names and contents of all files of the dbt project."""
    digest = hashlib.sha256()
    for file in project_files():
        digest.update(f"{file.relative_to(DBT_PROJECT)}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def _manifest(paths: DataPaths) -> Path:
    return paths.dbt_target / "manifest.json"


def _digest_of_parsed(paths: DataPaths) -> Path:
    return paths.dbt_target / "parsed_project.sha256"


def _parsed(paths: DataPaths, digest: str) -> dict[str, Any] | None:
    """The manifest on disk; None if it is missing, is of another project, or is incomplete after a kill or a full disk."""
    try:
        stat = _manifest(paths).stat()
        manifest = _read_manifest(_manifest(paths), stat.st_mtime_ns, stat.st_size)
        return manifest if _digest_of_parsed(paths).read_text() == digest else None
    except (OSError, ValueError):
        return None


@lru_cache(maxsize=1)
def _read_manifest(file: Path, mtime_ns: int, size: int) -> dict[str, Any]:
    """A manifest of a modification time and size. A refresh needs it five times, and reads it once."""
    manifest: dict[str, Any] = json.loads(file.read_bytes())
    return manifest


def _check_seeds() -> None:
    """Refuses seeds with mixed line ends: DuckDB would read half of their lines, without an error."""
    for file in project_files():
        content = file.read_bytes()
        if file.suffix == ".csv" and 0 < content.count(b"\r\n") < content.count(b"\n"):
            raise BuildFailed(f"{file.name}: some lines end in LF, others in CRLF; save it with one kind of line ends")


def project_files() -> list[Path]:
    """The files of the dbt project in a fixed order, without those that dbt writes."""
    files = (file for file in DBT_PROJECT.rglob("*") if file.suffix in (".sql", ".yml", ".csv"))
    return sorted(file for file in files if file.relative_to(DBT_PROJECT).parts[0] not in ("target", "logs"))


def dbt_arguments(settings: Settings, paths: DataPaths) -> list[str]:
    """The arguments of every dbt command: the paths of the project and its target, and the settings as variables."""
    variables = {"lake_path": str(paths.lake), **settings.figure_settings()}
    return [
        *("--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT), "--target", settings.engine),
        *("--target-path", str(paths.dbt_target), "--log-path", str(paths.dbt_target / "logs")),
        *("--vars", json.dumps(variables, sort_keys=True)),
    ]


def dbt_environment(settings: Settings, paths: DataPaths) -> dict[str, str]:
    """The variables that `dbt_project/profiles.yml` reads."""
    return {
        f"{DBT_PREFIX}IS_REFRESH": "true",
        f"{DBT_PREFIX}BUILD": str(paths.build),
        f"{DBT_PREFIX}CANDIDATE": str(paths.candidate),
        f"{DBT_PREFIX}LAKE": str(paths.lake),
        f"{DBT_PREFIX}MEMORY_LIMIT": settings.memory_limit,
        f"{DBT_PREFIX}THREADS": str(settings.threads),
        f"{DBT_PREFIX}TEMP_DIRECTORY": str(settings.scratch),
        **_thrift(settings),
    }


def _thrift(settings: Settings) -> dict[str, str]:
    if settings.spark_thrift is None:
        return {f"{DBT_PREFIX}SPARK_METHOD": "session"}
    host, _, port = settings.spark_thrift.rpartition(":")
    return {
        f"{DBT_PREFIX}SPARK_METHOD": "thrift",
        f"{DBT_PREFIX}SPARK_HOST": host,
        f"{DBT_PREFIX}SPARK_PORT": port,
    }


def run_dbt(
    settings: Settings, paths: DataPaths, command: list[str], environment: Mapping[str, str] | None = None
) -> list[Any]:
    """Runs a dbt command on the data folder; returns the results of its nodes. `environment` has further variables.

    Raises:
        BuildFailed: dbt could not start, or an operation failed. A model or test that fails is among the results.
    """
    settings.scratch.mkdir(parents=True, exist_ok=True)
    try:
        with _environment({**dbt_environment(settings, paths), **(environment or {})}):
            outcome = _run(command, dbt_arguments(settings, paths))
            # Without hooks and macros, which dbt reports as operations; the result of a macro has no node.
            nodes = [result for result in getattr(outcome, "results", ()) if hasattr(result, "node")]
            return [result for result in nodes if result.node.resource_type != "operation"]
    finally:
        # Nobody reads it, and it quotes values from the engine's error messages.
        remove(paths.dbt_target / "run_results.json")


_last_parsed: tuple[str, "Manifest"] | None = None
"""The manifest that this process parsed last, by a digest of everything that it was parsed from."""


def _run(command: list[str], arguments: list[str]) -> Any:
    """Runs dbt in this process. Commands after the first reuse the parsed project while nothing that it depends on changes.

    Raises:
        BuildFailed: dbt could not start (a faulty project, a locked file), or an operation (a macro) failed.
    """
    if command[0] == "parse":
        return _parse_project(arguments)
    if command[0] == "docs":
        return _invoke([*command, *arguments], None)
    # The manifest on disk is the one of `parse`; run_results.json would quote values.
    return _invoke([*command, *arguments, "--no-write-json"], _parsed_project(arguments))


def _parsed_project(arguments: list[str]) -> "Manifest":
    if _last_parsed is None or _last_parsed[0] != _parse_inputs(arguments):
        return _parse_project(arguments, "--no-write-json")
    return _last_parsed[1]


def _parse_project(arguments: list[str], *options: str) -> "Manifest":
    global _last_parsed
    manifest: Manifest = _invoke(["parse", *arguments, *options], None)
    _last_parsed = _parse_inputs(arguments), manifest
    return manifest


def _parse_inputs(arguments: list[str]) -> str:
    variables = {name: value for name, value in os.environ.items() if name.startswith(DBT_PREFIX)}
    return json.dumps([arguments, sorted(variables.items()), project_digest()])


def _invoke(arguments: list[str], manifest: "Manifest | None") -> Any:
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    errors: list[str] = []
    try:
        runner = dbtRunner(manifest, [_progress(), _operation_errors(errors)])
        outcome = runner.invoke([*arguments, "--quiet", "--log-level", "none"])
    finally:
        # Other connections open the files, and publication renames them.
        DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]  # dbt-duckdb does not type it
    if outcome.exception is not None and not isinstance(outcome.exception, Exception):
        raise outcome.exception  # dbt catches interrupts, too
    if outcome.exception is not None or outcome.result is None:
        raise BuildFailed(f"dbt {arguments[0]}: {first_line(str(outcome.exception))}")
    if errors:
        raise BuildFailed(f"dbt {arguments[1]}: {first_line(errors[0])}")
    return outcome.result


def _progress() -> Callable[[Any], None]:
    """A callback that logs each model once it is built; the fast ones on the debug level."""

    def log_model(event: Any) -> None:
        if event.info.name == "LogModelResult":
            is_slow = event.data.execution_time >= SLOW_MODEL_SECONDS
            name, status = event.data.node_info.node_name, event.data.status.lower()
            log.log(
                logging.INFO if is_slow else logging.DEBUG, "%s %s in %.1f s", name, status, event.data.execution_time
            )

    return log_model


def _operation_errors(errors: list[str]) -> Callable[[Any], None]:
    """A callback that collects the errors of operations, which their results do not contain."""

    def collect(event: Any) -> None:
        if event.info.name in ("RunningOperationCaughtError", "RunningOperationUncaughtError"):
            errors.append(event.data.exc)

    return collect


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


def first_line(message: str | None) -> str:
    """A message of dbt or of the engine on one line, with mobile numbers masked, because these messages quote values."""
    return " ".join(masked(message or "").split())[:500]
