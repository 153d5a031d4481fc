"""The landing zone: whether it is there, which log files it holds, and which log days are missing.

Not here: the content of a file (`warehouse.ingest.readers`), which files were loaded before (`warehouse.ledger`).
"""

from warehouse.landing.names import FileKind, file_kind, is_compressed
from warehouse.landing.presence import LandingZoneMissing
from warehouse.landing.proposals import LikelyFile, likely_file
from warehouse.landing.scan import LandingFile, LandingZone

__all__ = [
    "FileKind",
    "LandingFile",
    "LandingZone",
    "LandingZoneMissing",
    "LikelyFile",
    "file_kind",
    "is_compressed",
    "likely_file",
]
