"""Names of export files: `<report>_<YYYYMMDDTHHMMSSZ>.csv`, or `<report>-<campaign hash>_<time>.csv` for one campaign.

Not here: what the files hold (`warehouse.export.exports`).
"""

import hashlib
import re
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from enum import StrEnum

_TIME = "%Y%m%dT%H%M%SZ"


class FileFormat(StrEnum):
    """The format of an export. The value is the extension of the file."""

    CSV = "csv"
    XLSX = "xlsx"


def campaign_hash(campaign_id: str) -> str:
    """Twelve hexadecimal digits for a campaign in a file name: an id may contain characters that a name cannot."""
    return hashlib.sha256(campaign_id.encode()).hexdigest()[:12]


def next_export_name(
    report: str, campaign_id: str | None, earliest: datetime, existing: Collection[str]
) -> tuple[str, datetime]:
    """The name of the next export without its extension, and its time: `earliest`, or the next free second.

    `existing` are the names of the files in the folder. The name is free in every format, because one `.json` describes
    one file.
    """
    stem = report if campaign_id is None else f"{report}-{campaign_hash(campaign_id)}"
    exported_at = earliest.replace(microsecond=0)
    while True:
        name = f"{stem}_{exported_at.strftime(_TIME)}"
        if not any(f"{name}.{extension}" in existing for extension in ("json", *FileFormat)):
            return name, exported_at
        exported_at += timedelta(seconds=1)


def export_time(report: str, name: str) -> datetime | None:
    """The time in the name of an export of a report, or of its `.json`. None for any other name."""
    match = re.fullmatch(
        rf"{re.escape(report)}(?:-[0-9a-f]{{12}})?_([0-9]{{8}}T[0-9]{{6}}Z)\.(?:json|{'|'.join(FileFormat)})", name
    )
    if not match:
        return None
    try:
        return datetime.strptime(match[1], _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
