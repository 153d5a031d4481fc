"""Each error is recognised by its type or its text, and its message names the next step."""

import sqlite3
from pathlib import Path

import duckdb
import pytest

from models.error_codes import Code
from orchestration.errors import Failure, failure_of
from orchestration.stages import AppContext
from orchestration.stages.sources import SourcesMissing
from warehouse.config.settings import SettingsError, load_settings
from warehouse.export import ExportRefused
from warehouse.lake.integrity import LakeDamaged
from warehouse.landing import LandingZoneMissing
from warehouse.ledger.store import LedgerIsNewer
from warehouse.privacy import KeyMissing
from warehouse.storage import ObjectStoreFailed
from warehouse.transform.build import SumTooLarge
from warehouse.transform.candidate import CandidateDamaged
from warehouse.transform.dbt_runner import BuildFailed

GATE_CODES = {
    Code.FILE_REFUSED, Code.FILE_WITHOUT_ROWS, Code.ROWS_REJECTED, Code.KEY_CONFLICTS, Code.CHECK_FAILED, Code.CHECK_MISSING,
    Code.BUILD_WITHDRAWN,
}  # fmt: skip


class DagsterExecutionInterruptedError(BaseException):
    """Named like Dagster's error, which has no text either."""


ERRORS = [
    (DagsterExecutionInterruptedError(), Code.REFRESH_NOT_FINISHED),
    (LakeDamaged([]), Code.LAKE_FILE_CORRUPT),
    (LandingZoneMissing("/mnt/logs does not exist"), Code.LANDING_ZONE_MISSING),
    (SourcesMissing("SENDMART_SOURCES is unset"), Code.SOURCES_MISSING),
    (SettingsError("SENDMART_THREADS: must be a number"), Code.SETTING_INVALID),
    (KeyMissing("/data/hash.key: no key"), Code.HASH_KEY_MISSING),
    (ExportRefused("no such campaign"), Code.EXPORT_REFUSED),
    (LedgerIsNewer("version 99"), Code.LEDGER_NEWER),
    (ObjectStoreFailed("s3://drop/logs: NoSuchBucket"), Code.OBJECT_STORE),
    (duckdb.HTTPException("HTTP Error: 403"), Code.OBJECT_STORE),
    (BuildFailed("JAVA_GATEWAY_EXITED"), Code.SPARK_UNREACHABLE),
    (OSError(28, "No space left on device"), Code.DISK_FULL),
    (BuildFailed("model sends: No space left on device"), Code.DISK_FULL),
    (duckdb.OutOfMemoryException("Out of Memory Error: could not allocate block"), Code.OUT_OF_MEMORY),
    (MemoryError(), Code.OUT_OF_MEMORY),
    (duckdb.IOException('Could not set lock on file "/data/published/sendmart.duckdb"'), Code.FILE_LOCKED),
    (sqlite3.OperationalError("database is locked"), Code.FILE_LOCKED),
    (PermissionError(13, "Permission denied", "/data/lake"), Code.NO_PERMISSION),
    (sqlite3.OperationalError("unable to open database file"), Code.NO_PERMISSION),
    (NotADirectoryError(20, "Not a directory", "/data/lake"), Code.PATH_UNUSABLE),
    (CandidateDamaged("Corrupt database file"), Code.BUILD_FILE_CORRUPT),
    (sqlite3.DatabaseError("file is not a database"), Code.LEDGER_UNUSABLE),
    (SumTooLarge("campaign c1: 1e16"), Code.SUM_TOO_LARGE),
    (BuildFailed("model sends: no such column"), Code.MODEL_NOT_BUILT),
    (ZeroDivisionError("division by zero"), Code.UNEXPECTED),
]


@pytest.fixture
def context(bare_environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppContext:
    monkeypatch.setenv("SENDMART_DATA", str(tmp_path / "data"))
    return AppContext.of(load_settings())


@pytest.mark.parametrize(("error", "code"), ERRORS, ids=lambda value: str(value)[:40])
def test_an_error_has_a_code_a_message_and_a_next_step(error: BaseException, code: Code, context: AppContext) -> None:
    failure = failure_of(error, context)
    assert failure.code is code
    assert "{" not in str(failure)
    assert failure.next_step
    assert str(failure).endswith(f"See docs/runbook/{code}.md")


def test_every_code_that_ends_a_refresh_is_tried() -> None:
    assert {code for _, code in ERRORS} == set(Code) - GATE_CODES


def test_the_innermost_known_error_decides(context: AppContext) -> None:
    def raise_wrapped() -> None:
        try:
            raise PermissionError(13, "Permission denied", str(context.paths.lake))
        except PermissionError as error:
            raise BuildFailed("model sends") from error

    with pytest.raises(BuildFailed) as raised:
        raise_wrapped()
    failure = failure_of(raised.value, context)
    assert failure.code is Code.NO_PERMISSION
    assert str(context.paths.lake) in failure.description
    assert "(SENDMART_DATA)" in failure.next_step


@pytest.mark.parametrize("free_bytes", [1 << 20, 1 << 40])
def test_an_input_output_error_of_sqlite_means_a_full_disk_only_if_little_space_is_free(
    free_bytes: int, context: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.errors._free_bytes", lambda folder: free_bytes)
    failure = failure_of(sqlite3.OperationalError("disk I/O error"), context)
    assert failure.code is (Code.DISK_FULL if free_bytes < 1 << 30 else Code.LEDGER_UNUSABLE)


def test_phone_numbers_are_masked(context: AppContext) -> None:
    failure = failure_of(BuildFailed("contact +447700900123"), context)
    assert failure == Failure(Code.MODEL_NOT_BUILT, "contact +44…23", failure.next_step)
