"""The error codes: one for each problem that blocks a publication or ends a refresh, with a page in `docs/runbook/`.

A code never changes, so alerts and scripts can rely on it. The message with the code says what happened; the page says what
to do.

Not here: when a code is raised (`quality.gate`, `orchestration.errors`), the pages (`docs/runbook/`).
"""

from enum import StrEnum


class Code(StrEnum):
    """The codes; the value is printed in messages, and is the name of the page."""

    # The gate
    FILE_REFUSED = "file-refused"
    ROWS_REJECTED = "rows-rejected"
    CHECK_FAILED = "check-failed"
    CHECK_MISSING = "check-missing"
    BUILD_WITHDRAWN = "build-withdrawn"

    # A refresh that failed
    DISK_FULL = "disk-full"
    NO_PERMISSION = "no-permission"
    PATH_UNUSABLE = "path-unusable"
    OUT_OF_MEMORY = "out-of-memory"
    FILE_LOCKED = "file-locked"
    LAKE_FILE_CORRUPT = "lake-file-corrupt"
    BUILD_FILE_CORRUPT = "build-file-corrupt"
    LEDGER_UNUSABLE = "ledger-unusable"
    LEDGER_NEWER = "ledger-newer"
    OBJECT_STORE = "object-store"
    SPARK_UNREACHABLE = "spark-unreachable"
    HASH_KEY_MISSING = "hash-key-missing"
    MODEL_NOT_BUILT = "model-not-built"
    SETTING_INVALID = "setting-invalid"
    EXPORT_REFUSED = "export-refused"
    REFRESH_NOT_FINISHED = "refresh-not-finished"
    UNEXPECTED = "unexpected"

    @property
    def meaning(self) -> str:
        """The meaning in one line, as in the index of the runbook."""
        return _MEANINGS[self]

    @property
    def page(self) -> str:
        """The path of the page in the checkout."""
        return f"docs/runbook/{self}.md"


_MEANINGS = {
    Code.FILE_REFUSED: "A log file could not be read at all: none of its rows are loaded.",
    Code.ROWS_REJECTED: "Too many rows of a log-day are in quarantine.",
    Code.CHECK_FAILED: "A blocking check of the build failed.",
    Code.CHECK_MISSING: "A blocking check was not run on this build.",
    Code.BUILD_WITHDRAWN: "Somebody rolled back from this build: it is not published again automatically.",
    Code.DISK_FULL: "A disk is full.",
    Code.NO_PERMISSION: "A file or folder cannot be read or written, or its disk is read-only.",
    Code.PATH_UNUSABLE: "A file is where a folder should be, or a folder where a file should be.",
    Code.OUT_OF_MEMORY: "A build or a worker ran out of memory.",
    Code.FILE_LOCKED: "Another program holds a file of the data folder open for writing.",
    Code.LAKE_FILE_CORRUPT: "A file of the lake is damaged, and its log file is no longer in the landing zone.",
    Code.BUILD_FILE_CORRUPT: "A file of the build was found damaged after it was built.",
    Code.LEDGER_UNUSABLE: "The ledger cannot be read or written.",
    Code.LEDGER_NEWER: "A newer version of Sendmart wrote the data folder than the one that is installed.",
    Code.OBJECT_STORE: "An object store could not be reached, refused a request, or lacks a bucket or an object.",
    Code.SPARK_UNREACHABLE: "Spark does not answer or cannot be started: no Java, no Thrift server, or a lost connection.",
    Code.HASH_KEY_MISSING: "The key of the keyed hashes is missing, or is not the key that was used before.",
    Code.MODEL_NOT_BUILT: "dbt could not build a model or read the project.",
    Code.SETTING_INVALID: "A setting is invalid.",
    Code.EXPORT_REFUSED: "A requested export cannot be made.",
    Code.REFRESH_NOT_FINISHED: "A refresh is running, was killed, or could not record its end.",
    Code.UNEXPECTED: "None of the above: a bug in Sendmart, or a fault of the machine.",
}
