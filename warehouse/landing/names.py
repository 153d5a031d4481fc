"""The names of log files: which log and date a path stands for, and how the content is written.

A path is relative to the landing zone. Its extension gives the format, never the compression, which the first bytes tell.

Not here: the search for files (`warehouse.landing.scan`), the content of a file (`warehouse.ingest.readers`).
"""

import re
from datetime import date
from typing import Literal

from models.enums import Log

FileKind = Literal["csv", "json", "parquet"]

_KINDS: dict[str, FileKind] = {"csv": "csv", "json": "json", "jsonl": "json", "ndjson": "json", "parquet": "parquet"}
_COMPRESSED = re.compile(r"\.(?:gz|zst|zstd)$", re.IGNORECASE)
EXTENSION = r"(?:(?:csv|json|jsonl|ndjson)(?:\.(?:gz|zst|zstd))?|parquet)"
_DATE = r"\d{4}-\d{2}-\d{2}"
_LOG_FILE = re.compile(
    # 2026-01-05.csv, 2026-01-05.0002.csv, 2026-01-05/gateway.csv
    rf"(?:(?P<day>{_DATE})(?:(?:\.[^/]+?)?|/[^/]+)"
    # date=2026-01-05/hour=08/gateway.csv
    rf"|[^/=]+=(?P<partition>{_DATE})/(?:[^/]+/)*[^/]+"
    # 2026/01/05/08/gateway.csv
    rf"|(?P<folders>\d{{4}}/\d{{2}}/\d{{2}})/(?:[^/]+/)*[^/]+)\.{EXTENSION}",
    re.ASCII | re.IGNORECASE,
)


_LOGS = {str(log): log for log in Log} | {str(log).removesuffix("s"): log for log in Log}


def log_named_like(word: str) -> Log | None:
    """The log whose name this word is in another case, or in the singular."""
    return _LOGS.get(word.lower())


def log_date_of(source_file: str) -> date | None:
    """The log date in a path within a log's folder; None if it is not the path of a log file."""
    match = _LOG_FILE.fullmatch(source_file)
    if not match:
        return None
    try:
        return date.fromisoformat((match["day"] or match["partition"] or match["folders"]).replace("/", "-"))
    except ValueError:
        return None


def file_kind(name: str) -> FileKind:
    """The format that the extension of a log file gives; KeyError if it gives none."""
    return _KINDS[_COMPRESSED.sub("", name).rpartition(".")[2].lower()]


def is_compressed(name: str) -> bool:
    """Whether the name says that the content is compressed, as that of Parquet always is."""
    return _COMPRESSED.search(name) is not None or name.lower().endswith(".parquet")
