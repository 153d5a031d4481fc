"""The error codes: one for each problem that blocks a publication or ends a refresh, with a page in `docs/runbook/` that says
what to do. A code never changes, so alerts and scripts can rely on it.

Not here: when a code is raised (`quality.gate`, `orchestration.errors`).
"""

from enum import StrEnum


class Code(StrEnum):
    """The codes: the value is printed in messages, and is the name of the page; `meaning` is its line in the runbook's index."""

    meaning: str

    def __new__(cls, value: str, meaning: str = "") -> "Code":
        code = str.__new__(cls, value)
        code._value_, code.meaning = value, meaning
        return code

    # The gate
    FILE_REFUSED = "file-refused", "A log file could not be read at all: none of its rows are loaded."
    FILE_WITHOUT_ROWS = "file-without-rows", "A log file has records, and all of them were rejected."
    ROWS_REJECTED = "rows-rejected", "Too many rows of a log-day are in quarantine."
    KEY_CONFLICTS = "key-conflicts", "Too many rows of a log-day have the id of rows with another contact."
    CHECK_FAILED = "check-failed", "A blocking check of the build failed."
    CHECK_MISSING = "check-missing", "A blocking check was not run on this build."
    BUILD_WITHDRAWN = "build-withdrawn", "Somebody rolled back from this build: no refresh publishes it again."

    # A refresh that failed
    LANDING_ZONE_MISSING = (
        "landing-zone-missing",
        "The landing zone does not exist, or is empty where files were before.",
    )
    SOURCES_MISSING = (
        "sources-missing",
        "`SENDMART_SOURCES` is unset or holds no mapping, and files were loaded by mappings of it.",
    )
    DISK_FULL = "disk-full", "A disk is full."
    NO_PERMISSION = "no-permission", "A file or folder cannot be read or written, or its disk is read-only."
    PATH_UNUSABLE = "path-unusable", "A file is where a folder should be, or a folder where a file should be."
    OUT_OF_MEMORY = "out-of-memory", "A build or a worker ran out of memory."
    FILE_LOCKED = "file-locked", "Another program holds a file of the data folder open for writing."
    LAKE_FILE_CORRUPT = (
        "lake-file-corrupt",
        "A file of the lake is damaged, and its log file left the landing zone.",
    )
    BUILD_FILE_CORRUPT = "build-file-corrupt", "A file of the build was found damaged after it was built."
    LEDGER_UNUSABLE = "ledger-unusable", "The ledger cannot be read or written."
    LEDGER_NEWER = "ledger-newer", "A newer version of Sendmart wrote the data folder than the one that is installed."
    OBJECT_STORE = "object-store", "An object store cannot be reached, refused a request, or lacks a bucket or object."
    SPARK_UNREACHABLE = "spark-unreachable", "Spark does not answer or start: no Java, Thrift server or connection."
    HASH_KEY_MISSING = "hash-key-missing", "The key of the keyed hashes is missing, or is not the one used before."
    MODEL_NOT_BUILT = "model-not-built", "dbt could not build a model or read the project."
    SUM_TOO_LARGE = "sum-too-large", "The revenue or the cost of a campaign does not fit its type."
    SETTING_INVALID = "setting-invalid", "A setting is invalid."
    EXPORT_REFUSED = "export-refused", "A requested export cannot be made."
    REFRESH_NOT_FINISHED = "refresh-not-finished", "A refresh is running, was killed, or could not record its end."
    UNEXPECTED = "unexpected", "None of the above: a bug in Sendmart, or a fault of the machine."

    @property
    def page(self) -> str:
        """The path of the page in the checkout."""
        return f"docs/runbook/{self}.md"
