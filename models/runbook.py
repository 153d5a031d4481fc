"""The runbook's codes: one for each thing that holds a build back or ends a refresh, with a page in `docs/runbook/`.

A code is stable: alarms, notes and scripts may go by it. Whoever raises it says what was found; the page says what to do.

Not here: when a code is raised (`quality.gate`, the stages), what its page says (`docs/runbook/`).
"""

from enum import StrEnum


class Code(StrEnum):
    """The codes; the value is what is printed, and the page's name."""

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
        """In a line, as the runbook's index has it."""
        return _MEANINGS[self]

    @property
    def page(self) -> str:
        """Where its page lies in the project's folder."""
        return f"docs/runbook/{self}.md"


_MEANINGS = {
    Code.FILE_REFUSED: "A log file could not be taken at all: nothing of it is in the lake.",
    Code.ROWS_REJECTED: "Too many rows of a log-day are in quarantine.",
    Code.CHECK_FAILED: "A blocking check of the build does not hold.",
    Code.CHECK_MISSING: "A check was not carried out on this build.",
    Code.BUILD_WITHDRAWN: "Somebody went back from this build to an earlier one: it is not published again by itself.",
    Code.DISK_FULL: "A disk is full.",
    Code.NO_PERMISSION: "A file or folder may not be read or written, or its disk is read-only.",
    Code.PATH_UNUSABLE: "A file lies where a folder should be, or the other way round.",
    Code.OUT_OF_MEMORY: "The memory that a build may use does not suffice.",
    Code.FILE_LOCKED: "Another program holds a file of the data folder open for writing.",
    Code.LAKE_FILE_CORRUPT: "A file of the lake is damaged, and its log file is not in the landing zone any more.",
    Code.BUILD_FILE_CORRUPT: "A file of the build was found damaged after it was built.",
    Code.LEDGER_UNUSABLE: "The ledger cannot be read or written.",
    Code.LEDGER_NEWER: "The data folder was written by a newer version of Sendmart than the one that is installed.",
    Code.OBJECT_STORE: "An object store could not be reached, refused, or lacks a bucket or an object.",
    Code.SPARK_UNREACHABLE: "Spark does not answer, or cannot be started: no Java, no Thrift server, or one that broke off.",
    Code.HASH_KEY_MISSING: "The key by which erased contacts and masked numbers are known again is gone, or is another.",
    Code.MODEL_NOT_BUILT: "A model could not be built, or the dbt project could not be read.",
    Code.SETTING_INVALID: "A setting makes no sense.",
    Code.EXPORT_REFUSED: "An export that was asked for cannot be made.",
    Code.REFRESH_NOT_FINISHED: "A refresh is at work, or was killed, or could not note how it ended.",
    Code.UNEXPECTED: "None of the above: a fault in Sendmart, or of the machine.",
}
