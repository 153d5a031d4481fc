"""What a failed refresh means: code, message and next step, from one table. Each code has a page in `docs/runbook`.

DuckDB, SQLite, dbt and Dagster describe the same fault in their own words, and wrap each other's errors. So a rule is a
pattern of an error's type and text, and the innermost error that a rule knows decides.

Not here: what holds a build back (`quality.gate`), how a failure is printed (`orchestration.cli.output`).
"""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from models.error_codes import Code
from models.masking import masked
from orchestration.stages import AppContext
from warehouse.duckdb_tools import is_corruption_error
from warehouse.storage import is_object

if TYPE_CHECKING:
    from orchestration.dagster_internals import SerializableErrorInfo

MAX_TEXT_CHARACTERS = 600

LITTLE_SPACE = 16 << 20
"""Bytes. With less free space, SQLite's input/output error means a full disk."""

_WORKER_TRACEBACK = "_RemoteTraceback"
"""Python chains this to an error of another process. It holds that process's traceback and is no error of its own."""


@dataclass(frozen=True)
class Failure:
    """Why a refresh did not finish, and the next step. `is_expected`: the message says all, a traceback is not needed."""

    code: Code
    description: str
    next_step: str

    @property
    def is_expected(self) -> bool:
        return self.code is not Code.UNEXPECTED

    def __str__(self) -> str:
        return f"{self.code}: {self.description}. {self.next_step}. See {self.code.page}"


class _Error(NamedTuple):
    """One error of a chain: the name of its type, and its text on one line, phone numbers masked."""

    type_name: str
    text: str

    @classmethod
    def of(cls, type_name: str, text: str) -> "_Error":
        return cls(type_name, " ".join(masked(text).split())[:MAX_TEXT_CHARACTERS])


class _Rule(NamedTuple):
    """Applies to an error with this pattern in `<type>: <text>`, if `condition` holds.

    `message` and `next_step` are templates; `_values` says what they may name.
    """

    pattern: str
    code: Code
    message: str
    next_step: str
    condition: Callable[[str, AppContext], bool] = lambda text, context: True

    def matches(self, error: _Error, context: AppContext) -> bool:
        match = re.search(self.pattern, f"{error.type_name}: {error.text}")
        return match is not None and self.condition(error.text, context)


def failure_of(error: BaseException, context: AppContext) -> Failure:
    """What an exception means."""
    chain, link = [], cast("BaseException | None", error)
    while link is not None:
        chain.append(_Error.of(type(link).__name__, str(link)))
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return _failure(chain, context)


def failure_of_step(step: str, error: "SerializableErrorInfo", context: AppContext) -> Failure:
    """What the error of a failed Dagster step means."""
    chain, link = [], cast("SerializableErrorInfo | None", error)
    while link is not None:
        # Dagster begins the message with the name of the type, sometimes with its module.
        prefix, _, text = link.message.strip().partition(": ")
        type_name = (link.cls_name or prefix).rpartition(".")[2]
        chain.append(_Error.of(type_name, text if prefix.rpartition(".")[2] == type_name else link.message))
        link = link.cause or link.context
    failure = _failure(chain, context)
    return replace(failure, description=f"{step}: {failure.description}")


def _failure(chain: list[_Error], context: AppContext) -> Failure:
    chain = [error for error in chain if error.type_name != _WORKER_TRACEBACK] or chain
    candidates = ((rule, error) for error in reversed(chain) for rule in _RULES if rule.matches(error, context))
    rule, error = next(candidates, (_UNEXPECTED, chain[-1]))
    values = _values(error, context)
    return Failure(rule.code, rule.message.format_map(values), rule.next_step.format_map(values))


def _values(error: _Error, context: AppContext) -> dict[str, object]:
    """What a template may name."""
    settings, paths = context.settings, context.paths
    quoted = re.search(r"""['"](/[^'"]+)['"]""", error.text)
    path = Path(quoted[1]) if quoted else paths.ledger if error.type_name == "OperationalError" else None
    free = f"{_free_bytes(settings.data) / 1e6:,.1f} MB are free in {settings.data}"
    if not settings.scratch.is_relative_to(settings.data):
        free += f", {_free_bytes(settings.scratch) / 1e6:,.1f} MB in {settings.scratch}"
    return {
        "type": error.type_name,
        "text": error.text.rstrip("."),
        "path": path or f"a file in {settings.data}",
        "folder": _folder_with_setting(path or settings.data, context),
        "free": free,
        "settings": settings,
        "paths": paths,
    }


def _free_bytes(folder: Path) -> int:
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _folder_with_setting(path: Path, context: AppContext) -> str:
    """The folder to look at: the setting's that the path lies in, with the setting's name; else the path's own."""
    for name in ("landing", "temp_directory", "data"):
        folder = getattr(context.settings, name)
        if folder is not None and not is_object(folder) and path.is_relative_to(folder):
            return f"{folder} (SENDMART_{name.upper()})"
    return str(path.parent)


_DISK_FULL = (
    Code.DISK_FULL,
    "the disk is full: {free} ({text})",
    "Free some space, or set SENDMART_TEMP_DIRECTORY, DuckDB's spill directory, to another disk; then: sendmart refresh",
)

_RULES = (
    _Rule(
        "^DagsterExecutionInterruptedError:",
        Code.REFRESH_NOT_FINISHED,
        "the run was interrupted",
        "Run: sendmart refresh, which repeats unfinished steps",
    ),
    _Rule(
        "^LakeDamaged:",
        Code.LAKE_FILE_CORRUPT,
        "damaged, and its log file is no longer in the landing zone: {text}",
        "Drop the log file into {settings.landing} again, or restore the lake file from a backup of {settings.data}; then:"
        " sendmart refresh",
    ),
    _Rule(
        "^LandingZoneMissing:",
        Code.LANDING_ZONE_MISSING,
        "{text}",
        "Mount it, or set SENDMART_LANDING to the folder of your logs; then: sendmart refresh",
    ),
    _Rule(
        "^SourcesMissing:",
        Code.SOURCES_MISSING,
        "{text}",
        "Set SENDMART_SOURCES to the folder of your mappings; then: sendmart refresh. If the rows shall go: sendmart refresh"
        " --without-sources",
    ),
    _Rule("^MappingInvalid:", Code.SETTING_INVALID, "{text}", "Correct the mapping; then: sendmart refresh"),
    _Rule("^SettingsError:", Code.SETTING_INVALID, "{text}", "Correct the setting; then: sendmart refresh"),
    _Rule("^KeyMissing:", Code.HASH_KEY_MISSING, "{text}", "Restore the key from its backup; then: sendmart refresh"),
    _Rule("^ExportRefused:", Code.EXPORT_REFUSED, "{text}", "Request another export"),
    _Rule(
        "^LedgerIsNewer:",
        Code.LEDGER_NEWER,
        "a newer version of Sendmart wrote this data folder ({text})",
        "Install that version again, or restore a backup of the data folder that an older version wrote",
    ),
    _Rule(
        "^(ObjectStoreFailed|ObjectChanged|HTTPException):|HTTP Error:|reading 's3://",
        Code.OBJECT_STORE,
        "a request to an object store failed ({text})",
        "Check the bucket, the credentials and the endpoint; then: sendmart refresh",
    ),
    _Rule(
        "Could not connect to any of|JAVA_GATEWAY_EXITED|TTransportException|Connection lost while polling|"
        "Another instance of Derby",
        Code.SPARK_UNREACHABLE,
        "Spark cannot be reached or started ({text})",
        "Check the Thrift server, or Java; then: sendmart refresh",
    ),
    _Rule("disk I/O error", *_DISK_FULL, lambda text, context: _free_bytes(context.settings.data) < LITTLE_SPACE),
    # Before every rule about builds: a model that fails on a full disk is a full disk.
    _Rule(
        "No space left on device|database or disk is full|Disk quota exceeded|File too large|max_temp_directory_size",
        *_DISK_FULL,
    ),
    _Rule(
        "^MemoryError:|Out of Memory Error|could not allocate block|failed to allocate|realloc of size",
        Code.OUT_OF_MEMORY,
        "out of memory; SENDMART_MEMORY_LIMIT is {settings.memory_limit} ({text})",
        "Raise SENDMART_MEMORY_LIMIT if the machine has more memory, or lower SENDMART_THREADS; then: sendmart refresh",
    ),
    _Rule(
        "Could not set lock on file|database is locked",
        Code.FILE_LOCKED,
        "another program has {path} open ({text})",
        "Close it there, or open it read-only; then: sendmart refresh",
    ),
    _Rule(
        "^PermissionError:|Permission denied|Operation not permitted|Read-only file system|readonly database|"
        "unable to open database file",
        Code.NO_PERMISSION,
        "this user cannot read or write {path}, or its disk is read-only ({text})",
        "Give the user that runs Sendmart read and write access to {folder}; then: sendmart refresh",
    ),
    _Rule(
        "^(NotADirectoryError|IsADirectoryError|FileExistsError):|Not a directory|Is a directory",
        Code.PATH_UNUSABLE,
        "{path} is a file where a folder is expected, or a folder where a file is expected ({text})",
        "Move it away; then: sendmart refresh",
    ),
    _Rule(
        "^CandidateDamaged:",
        Code.BUILD_FILE_CORRUPT,
        "a file of the build in {paths.warehouse} was damaged and is removed ({text})",
        "Run: sendmart refresh, which builds everything in full from the lake. If it happens again, check the disk",
    ),
    _Rule(
        "",
        Code.BUILD_FILE_CORRUPT,
        "{path} is damaged ({text})",
        "Run: sendmart refresh, which writes it again from the lake. If it happens again, check the disk",
        lambda text, context: is_corruption_error(text),
    ),
    _Rule(
        "^LedgerDamaged:|disk I/O error|file is not a database|database disk image is malformed",
        Code.LEDGER_UNUSABLE,
        "{paths.ledger} cannot be used ({text})",
        "Restore it from a backup, or start a new one as the page says; then: sendmart refresh",
    ),
    _Rule(
        "^SumTooLarge:",
        Code.SUM_TOO_LARGE,
        "{text}",
        "Correct the amount, or the rate, in its log file and drop the file again; then: sendmart refresh",
    ),
    _Rule(
        "^BuildFailed:",
        Code.MODEL_NOT_BUILT,
        "{text}",
        "Fix the model, the seed or the setting that is named; then: sendmart refresh",
    ),
)
"""In this order: the first rule that matches decides. A type is named, not imported: the error of a failed step is text."""

_UNEXPECTED = _Rule(
    "",
    Code.UNEXPECTED,
    "{type}: {text}",
    "The published build is untouched. Run: sendmart refresh. If it fails again, keep the traceback above",
)
