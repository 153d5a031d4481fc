"""Runs dbt in this process on a data folder: its commands, its files, its manifest.

Not here: which models must be rebuilt (`warehouse.transform.fingerprints`), what a candidate is
(`warehouse.transform.build`).
"""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from models.masking import masked, masking_logger
from warehouse.config import DBT_PREFIX, PROJECT, DataPaths, Settings
from warehouse.storage import read_json_object, remove
from warehouse.transform import installed_project

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

DBT_PROJECT = PROJECT / "dbt_project"
SLOW_MODEL_SECONDS = 1.0

log = masking_logger("sendmart.build")


class BuildFailed(Exception):
    """A model could not be built, or dbt could not run. The published build is unchanged."""


def dbt_manifest(settings: Settings, paths: DataPaths) -> dict[str, Any]:
    """dbt's manifest of the current project without what the settings disable. The project is parsed if the manifest on disk
    is another or incomplete. Raises BuildFailed.
    """
    check_seeds()
    manifest, digest_of_parsed = paths.dbt_target / "manifest.json", paths.dbt_target / "parsed_project.sha256"
    # These settings decide what is enabled, and what depends on what.
    digest = f"{settings.engine} {settings.insights} {settings.bot_clicks} {project_digest()}"

    def parsed() -> dict[str, Any] | None:
        """None if it is missing, is of another project, or is incomplete after a kill or a full disk."""
        try:
            stat = manifest.stat()
            content = _read_manifest(manifest, stat.st_mtime_ns, stat.st_size)
            return content if digest_of_parsed.read_text() == digest else None
        except (OSError, ValueError):
            return None

    if content := parsed():
        return content
    # Web server, daemon and refresh may do this at the same time: one parses, the others wait.
    paths.dbt_target.mkdir(parents=True, exist_ok=True)
    with FileLock(paths.dbt_target / ".parsing.lock"):
        if (content := parsed()) is None:
            if not _take_over_installed(settings, paths):
                # With the arguments of a build, so that the next build need not parse.
                run_dbt(settings, paths, ["parse"])
            digest_of_parsed.write_text(digest)
            content = _with_enabled_nodes(json.loads(manifest.read_bytes()))
    return content


def _take_over_installed(settings: Settings, paths: DataPaths) -> bool:
    """Whether the project was parsed at installation. Its files are then as if this process had parsed it."""
    if not installed_project.take_over(installed_key(settings), paths):
        return False
    with _environment(_dbt_environment(settings, paths)):
        _record_parsed(paths.dbt_target, _parse_inputs(_dbt_arguments(settings, paths, {})))
    return True


def installed_key(settings: Settings) -> str:
    """A digest of everything that the project is parsed from, except the data folder."""
    return json_digest(
        [settings.engine, settings.figure_settings(), _dbt_releases(), str(DBT_PROJECT), project_digest()]
    )


def _with_enabled_nodes(manifest: dict[str, Any]) -> dict[str, Any]:
    """A manifest without the tests of disabled models, which dbt lists among the nodes."""
    disabled = {name for name, node in manifest["nodes"].items() if not node["config"]["enabled"]}
    nodes = {name: node for name, node in manifest["nodes"].items() if name not in disabled}
    children = {
        name: [child for child in names if child not in disabled]
        for name, names in manifest.get("child_map", {}).items()
        if name not in disabled
    }
    return {**manifest, "nodes": nodes, "child_map": children}


@lru_cache(maxsize=1)
def _read_manifest(file: Path, mtime_ns: int, size: int) -> dict[str, Any]:
    """A manifest of a modification time and size. A refresh needs it five times, and reads it once.

    Raises OSError or ValueError if it is missing, damaged or of another shape.
    """
    manifest = read_json_object(file)
    if "nodes" not in manifest:
        raise ValueError(f"{file}: not a manifest")
    return _with_enabled_nodes(manifest)


def json_digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def project_digest() -> str:
    """A digest of the names and contents of all files of the dbt project."""
    digest = hashlib.sha256()
    for file in project_files():
        digest.update(f"{file.relative_to(DBT_PROJECT)}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def check_seeds() -> None:
    """Refuses seeds with mixed line ends: DuckDB would read half of their lines, without an error."""
    for file in project_files():
        content = file.read_bytes()
        if file.suffix == ".csv" and 0 < content.count(b"\r\n") < content.count(b"\n"):
            raise BuildFailed(f"{file.name}: some lines end in LF, others in CRLF; save it with one kind of line ends")


def project_files() -> list[Path]:
    """The files of the dbt project in a fixed order, without those that dbt writes."""
    files: list[Path] = []
    for folder, folders, names in os.walk(DBT_PROJECT):
        if folder == str(DBT_PROJECT):
            folders[:] = [name for name in folders if name not in ("target", "logs")]  # where the walk goes on
        files += [Path(folder, name) for name in names if name.endswith((".sql", ".yml", ".csv"))]
    return sorted(files)


def _dbt_arguments(settings: Settings, paths: DataPaths, more_variables: Mapping[str, Any]) -> list[str]:
    """The arguments of every dbt command: the paths of the project and its target, and the settings as variables."""
    variables = {"lake_path": str(paths.lake), **settings.figure_settings(), **more_variables}
    return [
        *("--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT), "--target", settings.engine),
        *("--target-path", str(paths.dbt_target), "--log-path", str(paths.dbt_target / "logs")),
        *("--vars", json.dumps(variables, sort_keys=True)),
    ]


def _dbt_environment(settings: Settings, paths: DataPaths) -> dict[str, str]:
    """The variables that `dbt_project/profiles.yml` reads."""
    host, _, port = (settings.spark_thrift or "").rpartition(":")
    spark = {"METHOD": "thrift", "HOST": host, "PORT": port} if settings.spark_thrift else {"METHOD": "session"}
    variables = {
        "IS_REFRESH": "true",
        "BUILD": str(paths.build),
        "CANDIDATE": str(paths.candidate),
        "LAKE": str(paths.lake),
        "MEMORY_LIMIT": settings.memory_limit,
        "THREADS": str(settings.threads),
        "TEMP_DIRECTORY": str(settings.scratch),
        **{f"SPARK_{name}": value for name, value in spark.items()},
    }
    return {f"{DBT_PREFIX}{name}": value for name, value in variables.items()}


def run_dbt(
    settings: Settings,
    paths: DataPaths,
    command: list[str],
    environment: Mapping[str, str] | None = None,
    variables: Mapping[str, Any] | None = None,
) -> list[Any]:
    """Runs a dbt command in this process and returns the results of its nodes, failed models and tests included.

    `variables` are added to dbt's variables.

    Raises BuildFailed if dbt could not start (a faulty project, a locked file) or an operation (a macro) failed.
    """
    settings.scratch.mkdir(parents=True, exist_ok=True)
    arguments = _dbt_arguments(settings, paths, variables or {})
    try:
        with _environment({**_dbt_environment(settings, paths), **(environment or {})}):
            if command[0] == "parse":
                result: Any = _parse_project(arguments, paths.dbt_target)
            elif command[0] == "docs":
                result = _invoke([*command, *arguments], None)
            else:
                # The manifest on disk is the one of `parse`; run_results.json would quote values.
                result = _invoke(
                    [*command, *arguments, "--no-write-json"], _parsed_project(arguments, paths.dbt_target)
                )
    finally:
        # Nobody reads it, and it quotes values from the engine's error messages.
        remove(paths.dbt_target / "run_results.json")
    # Without hooks and macros, which dbt reports as operations; the result of a macro has no node.
    nodes = [node for node in getattr(result, "results", ()) if hasattr(node, "node")]
    return [node for node in nodes if node.node.resource_type != "operation"]


_last_parsed: tuple[str, "Manifest"] | None = None
"""The manifest that this process parsed last, by a digest of everything that it was parsed from."""


def _parsed_project(arguments: list[str], target: Path) -> "Manifest":
    """The project, which is parsed again only if something that it depends on has changed."""
    global _last_parsed
    inputs = _parse_inputs(arguments)
    if _last_parsed is not None and _last_parsed[0] == inputs:
        return _last_parsed[1]
    if (kept := _kept_project(target, inputs)) is None:
        return _parse_project(arguments, target, "--no-write-json")
    _last_parsed = inputs, kept
    return kept


def _parse_project(arguments: list[str], target: Path, *options: str) -> "Manifest":
    global _last_parsed
    manifest: Manifest = _invoke(["parse", *arguments, *options], None)
    inputs = _parse_inputs(arguments)
    _last_parsed = inputs, manifest
    with suppress(OSError):  # the next process parses
        _record_parsed(target, inputs)
    return manifest


def _record_parsed(target: Path, inputs: str) -> None:
    (target / _PARSED_FROM).write_text(f"{inputs} {_state_of(target / _PARSED_PROJECT)}")


_PARSED_PROJECT, _PARSED_FROM = "partial_parse.msgpack", "partial_parse.sha256"
"""The project as dbt keeps it in the target folder, and a digest of what it was parsed from."""


def _kept_project(target: Path, inputs: str) -> "Manifest | None":
    """The project that an earlier process parsed from the same inputs. dbt would compare each of its files."""
    prepare_import_of_dbt()
    from warehouse.transform.dbt_internals import read_parsed_project

    try:
        if (target / _PARSED_FROM).read_text() == f"{inputs} {_state_of(target / _PARSED_PROJECT)}":
            return read_parsed_project((target / _PARSED_PROJECT).read_bytes())
    except Exception as error:  # damaged, or of a shape that this release of dbt does not know
        log.debug("the parsed project cannot be read: %s", type(error).__name__)
    return None


def _state_of(file: Path) -> str:
    stat = file.stat()
    return f"{stat.st_size} {stat.st_mtime_ns}"


def _parse_inputs(arguments: list[str]) -> str:
    variables = {name: value for name, value in os.environ.items() if name.startswith(DBT_PREFIX)}
    return json_digest([arguments, variables, _dbt_releases(), project_digest()])


@cache
def _dbt_releases() -> list[str]:
    releases = []
    for package in ("dbt-core", "dbt-adapters", "dbt-duckdb", "dbt-spark"):
        with suppress(PackageNotFoundError):
            releases.append(f"{package} {version(package)}")
    return releases


def prepare_import_of_dbt() -> None:
    """To be called before dbt is imported: mashumaro writes the code that reads and writes dbt's hundreds of dataclasses when
    it is first needed, not at import.
    """
    from mashumaro.config import BaseConfig

    BaseConfig.lazy_compilation = True


def _invoke(arguments: list[str], manifest: "Manifest | None") -> Any:
    prepare_import_of_dbt()
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    from warehouse.transform.dbt_internals import make_rendering_cheaper, without_validation

    make_rendering_cheaper()
    operation_errors: list[str] = []

    def collect_operation_errors(event: Any) -> None:
        """The results of operations do not contain their errors."""
        if event.info.name in ("RunningOperationCaughtError", "RunningOperationUncaughtError"):
            operation_errors.append(event.data.exc)

    try:
        runner = dbtRunner(manifest, [_progress(), collect_operation_errors])
        with without_validation() if manifest else nullcontext():
            outcome = runner.invoke([*arguments, "--quiet", "--log-level", "none"])
    finally:
        # Other connections open the files, and publication renames them.
        DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]  # dbt-duckdb does not type it
    if outcome.exception is not None and not isinstance(outcome.exception, Exception):
        raise outcome.exception  # dbt catches interrupts, too
    if outcome.exception is not None or outcome.result is None:
        raise BuildFailed(f"dbt {arguments[0]}: {first_line(str(outcome.exception))}")
    if operation_errors:
        raise BuildFailed(f"dbt {arguments[1]}: {first_line(operation_errors[0])}")
    return outcome.result


def _progress() -> Callable[[Any], None]:
    """A callback that logs each model once it is built; the fast ones on the debug level."""

    def log_model(event: Any) -> None:
        if event.info.name == "LogModelResult":
            name, status, seconds = event.data.node_info.node_name, event.data.status, event.data.execution_time
            level = logging.INFO if seconds >= SLOW_MODEL_SECONDS else logging.DEBUG
            log.log(level, "%s %s in %.1f s", name, status.lower(), seconds)

    return log_model


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ[name] for name in variables if name in os.environ}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            os.environ.pop(name, None)
        os.environ.update(before)


def first_line(message: str | None) -> str:
    """A message of dbt or of the engine on one line, with mobile numbers masked, because these messages quote values."""
    return " ".join(masked(message or "").split())[:500]
