"""What a refresh failed of: a stable code, plain words, and what to do; each code is a page in `docs/runbook`.

Faults of the machine, of the data folder and of the models are told apart by what was raised and what it said: DuckDB,
SQLite, dbt and Dagster each have words of their own for a full disk, and often wrap each other's.

Not here: what holds a build back (`quality.gate`), where it is printed (`telling`).
"""

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from models.error_codes import Code
from models.masking import masked
from orchestration.stages import AppContext
from warehouse.duckdb_tools.health import is_corruption_error
from warehouse.storage import is_object

WORDS_SHOWN = 600

_TRACE_OF_LOADER = "_RemoteTraceback"
"""What Python chains to an error that came from another process: where that raised it, and no error of its own."""

LITTLE_SPACE = 16 << 20
"""With less than this free, an input/output error of SQLite is a full disk."""


@dataclass(frozen=True)
class Failure:
    """Why a refresh did not finish, and what a person does about it. `is_expected`: a trace would help nobody."""

    code: Code
    found: str
    next_step: str

    @property
    def is_expected(self) -> bool:
        return self.code is not Code.UNEXPECTED

    def __str__(self) -> str:
        return f"{self.code}: {self.found}. {self.next_step}. See {self.code.page}"


class SerializedError(Protocol):
    """An error as Dagster keeps it."""

    cls_name: str | None
    message: str
    cause: "SerializedError | None"
    context: "SerializedError | None"


@dataclass(frozen=True)
class _Raised:
    """One of the errors that led to each other: the name of its class, and what it said."""

    kind: str
    words: str


def failure_of(error: BaseException, context: AppContext) -> Failure:
    """What an exception means."""
    return _failure([_Raised(type(one).__name__, _one_line(str(one))) for one in _chain(error)], context)


def failure_of_step(step: str, error: SerializedError, context: AppContext) -> Failure:
    """What a failed step of a run means, which Dagster tells only in words."""
    failure = _failure([_raised(one) for one in _chain_told(error)], context)
    return replace(failure, found=f"{step}: {failure.found}")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _chain_told(error: SerializedError | None) -> Iterator[SerializedError]:
    while error is not None:
        yield error
        error = error.cause or error.context


def _raised(told: SerializedError) -> _Raised:
    words = _one_line(told.message)
    # Dagster puts the name of the class in front, sometimes with its module.
    name, _, rest = words.partition(": ")
    kind = (told.cls_name or name).rpartition(".")[2]
    return _Raised(kind, rest if name.rpartition(".")[2] == kind else words)


def _one_line(words: str) -> str:
    return " ".join(masked(words).split())[:WORDS_SHOWN]


def _failure(chain: list[_Raised], context: AppContext) -> Failure:
    """The innermost error that means something; else the innermost, as it is."""
    chain = [raised for raised in chain if raised.kind != _TRACE_OF_LOADER] or chain
    for raised in reversed(chain):
        for is_it, tell in _MEANINGS:
            if is_it(raised, context):
                return tell(raised, context)
    innermost = chain[-1]
    return Failure(
        Code.UNEXPECTED,
        f"{innermost.kind}: {innermost.words}",
        "Nothing that was published is touched. Refresh again; if it stays, keep the trace above",
    )


def _says(*signs: str) -> Callable[[_Raised, AppContext], bool]:
    return lambda raised, _: any(sign in raised.words for sign in signs)


def _is(*kinds: str) -> Callable[[_Raised, AppContext], bool]:
    return lambda raised, _: raised.kind in kinds


def _free(folder: Path) -> int:
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _is_disk_full(raised: _Raised, context: AppContext) -> bool:
    if _is_input_output_error_of_sqlite(raised):
        return _free(context.settings.data) < LITTLE_SPACE
    return any(
        sign in raised.words
        for sign in (
            "No space left on device",
            "database or disk is full",
            "Disk quota exceeded",
            "File too large",
            "max_temp_directory_size",
        )
    )


def _is_input_output_error_of_sqlite(raised: _Raised) -> bool:
    return "disk I/O error" in raised.words


def _disk_full(raised: _Raised, context: AppContext) -> Failure:
    settings = context.settings
    free = f"{_free(settings.data) / 1e6:,.1f} MB are free in {settings.data}"
    if not settings.scratch.is_relative_to(settings.data):
        free += f", {_free(settings.scratch) / 1e6:,.1f} MB in {settings.scratch}"
    return Failure(
        Code.DISK_FULL,
        f"the disk is full: {free} ({raised.words})",
        "Make room, or point SENDMART_TEMP_DIRECTORY, where DuckDB spills to, at another disk; then: sendmart refresh",
    )


def _no_permission(raised: _Raised, context: AppContext) -> Failure:
    path = _path_in(raised.words) or str(
        context.paths.ledger if raised.kind == "OperationalError" else context.settings.data
    )
    setting = _setting_of(Path(path), context)
    return Failure(
        Code.NO_PERMISSION,
        f"{path} may not be read or written by this user, or lies on a disk that is read-only ({raised.words})",
        f"Give the user that refreshes read and write access to all of {setting}; then: sendmart refresh",
    )


def _setting_of(path: Path, context: AppContext) -> str:
    settings = context.settings
    for name, folder in (
        ("SENDMART_LANDING", settings.landing),
        ("SENDMART_TEMP_DIRECTORY", settings.temp_directory),
        ("SENDMART_DATA", settings.data),
    ):
        if folder is not None and not is_object(folder) and path.is_relative_to(folder):
            return f"{folder} ({name})"
    return str(path.parent)


def _path_in(words: str) -> str | None:
    """The first path that is named in quotes."""
    found = re.search(r"""['"](/[^'"]+)['"]""", words)
    return found and found[1]


def _path_unusable(raised: _Raised, context: AppContext) -> Failure:
    return Failure(
        Code.PATH_UNUSABLE,
        f"{_path_in(raised.words) or 'a path'} is a file where a folder should be, or the other way round ({raised.words})",
        "Move it away; then: sendmart refresh",
    )


def _out_of_memory(raised: _Raised, context: AppContext) -> Failure:
    return Failure(
        Code.OUT_OF_MEMORY,
        f"the memory does not suffice; DuckDB may use {context.settings.memory_limit} ({raised.words})",
        "Raise SENDMART_MEMORY_LIMIT if the machine has more, or lower SENDMART_THREADS; then: sendmart refresh",
    )


def _worker_died(raised: _Raised, context: AppContext) -> Failure:
    return Failure(
        Code.OUT_OF_MEMORY,
        f"{raised.words}, most likely for want of memory; SENDMART_LOAD_WORKERS is {context.settings.load_workers}",
        "Lower SENDMART_LOAD_WORKERS, each needs up to 1 GB; then: sendmart refresh, which takes what is missing",
    )


def _file_locked(raised: _Raised, context: AppContext) -> Failure:
    return Failure(
        Code.FILE_LOCKED,
        f"another program holds {_path_in(raised.words) or 'a file of the data folder'} open ({raised.words})",
        "Close it there, or have it opened read-only; then: sendmart refresh",
    )


def _lake_file_corrupt(raised: _Raised, context: AppContext) -> Failure:
    return Failure(
        Code.LAKE_FILE_CORRUPT,
        f"damaged, and not in the landing zone any more: {raised.words}",
        f"Drop the named log file into {context.settings.landing} again, or restore the named file from the backup of"
        f" {context.settings.data}; then: sendmart refresh",
    )


def _build_file_corrupt(raised: _Raised, context: AppContext) -> Failure:
    if raised.kind != "CandidateDamaged":
        path = _path_in(raised.words) or "a file"
        return Failure(
            Code.BUILD_FILE_CORRUPT,
            f"{path} is damaged ({raised.words})",
            "Next: sendmart refresh, which makes it anew from the lake. If it comes back, look at the disk",
        )
    return Failure(
        Code.BUILD_FILE_CORRUPT,
        f"a file of the build in {context.paths.warehouse} is damaged, and was removed ({raised.words})",
        "Refresh again: everything is built in full from the lake. If it comes back, look at the disk",
    )


def _ledger_unusable(raised: _Raised, context: AppContext) -> Failure:
    return Failure(
        Code.LEDGER_UNUSABLE,
        f"{context.paths.ledger} cannot be read or written ({raised.words})",
        "Restore it from the backup, or move it away as the page says; then: sendmart refresh",
    )


def _ledger_newer(raised: _Raised, context: AppContext) -> Failure:
    return Failure(
        Code.LEDGER_NEWER,
        f"a newer version of Sendmart has written this data folder ({raised.words})",
        "Install that version again, or put the data folder back from a backup that was made before it",
    )


def _model_not_built(raised: _Raised, context: AppContext) -> Failure:
    return Failure(
        Code.MODEL_NOT_BUILT,
        raised.words.rstrip("."),
        "Mend the model, vocabulary or setting that is named; then: sendmart refresh",
    )


def _object_store(raised: _Raised, context: AppContext) -> Failure:
    return Failure(
        Code.OBJECT_STORE,
        f"an object store did not do what was asked ({raised.words.rstrip('.')})",
        "Look at the bucket, the credentials and the endpoint, as the page says; then: sendmart refresh",
    )


def _spark_unreachable(raised: _Raised, context: AppContext) -> Failure:
    return Failure(
        Code.SPARK_UNREACHABLE,
        f"Spark could not be reached or started ({raised.words.rstrip('.')})",
        "Look at the Thrift server, or at Java, as the page says; then: sendmart refresh",
    )


def _hash_key_missing(raised: _Raised, context: AppContext) -> Failure:
    return Failure(Code.HASH_KEY_MISSING, raised.words, "Put the key back from its backup; then: sendmart refresh")


def _setting_invalid(raised: _Raised, context: AppContext) -> Failure:
    return Failure(Code.SETTING_INVALID, raised.words, "Mend the setting; then: sendmart refresh")


def _export_refused(raised: _Raised, context: AppContext) -> Failure:
    return Failure(Code.EXPORT_REFUSED, raised.words, "Ask for something else, as the page says")


_MEANINGS: list[tuple[Callable[[_Raised, AppContext], bool], Callable[[_Raised, AppContext], Failure]]] = [
    (_is("LakeDamaged"), _lake_file_corrupt),
    (_is("SettingsError"), _setting_invalid),
    (_is("KeyMissing"), _hash_key_missing),
    (_is("ExportRefused"), _export_refused),
    (_is("LedgerIsNewer"), _ledger_newer),
    (_is("ObjectStoreFailed", "ObjectChanged", "HTTPException"), _object_store),
    (_says("HTTP Error:", "reading 's3://"), _object_store),
    (
        _says("Could not connect to any of", "JAVA_GATEWAY_EXITED", "TTransportException", "Connection lost while polling",
            "Another instance of Derby"),
        _spark_unreachable,
    ),
    (_is_disk_full, _disk_full),
    (_is("WorkerDied"), _worker_died),
    (_is("MemoryError"), _out_of_memory),
    (_says("Out of Memory Error", "could not allocate block", "failed to allocate", "realloc of size"), _out_of_memory),
    (_says("Could not set lock on file", "database is locked"), _file_locked),
    (_is("PermissionError"), _no_permission),
    (
        _says(
            "Permission denied", "Operation not permitted", "Read-only file system", "readonly database",
            "unable to open database file",
        ),
        _no_permission,
    ),
    (_is("NotADirectoryError", "IsADirectoryError", "FileExistsError"), _path_unusable),
    (_says("Not a directory", "Is a directory"), _path_unusable),
    (lambda raised, _: raised.kind == "CandidateDamaged" or is_corruption_error(raised.words), _build_file_corrupt),
    (_says("disk I/O error", "file is not a database", "database disk image is malformed"), _ledger_unusable),
    (_is("BuildFailed"), _model_not_built),
]  # fmt: skip
"""In this order: a model that cannot be built on a full disk is a full disk."""
