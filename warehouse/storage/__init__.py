"""Files on disk and objects under `s3://`: one path type for both, atomic writes, checksums, removal.

The ground floor: it imports no other room. The other rooms import it by this package, not by its modules.

Not here: which file lies where (`warehouse.config.paths`), what DuckDB needs to read objects (`warehouse.duckdb_tools`).
"""

from warehouse.storage.atomic import atomic_replace, exists, names_in, remove, sync_file, sync_folder
from warehouse.storage.checksums import Checksum, hash_of
from warehouse.storage.object_store import (
    SCHEME,
    AnyPath,
    ObjectInfo,
    ObjectStoreFailed,
    is_object,
    path_of,
    store_access,
)

__all__ = [
    "SCHEME",
    "AnyPath",
    "Checksum",
    "ObjectInfo",
    "ObjectStoreFailed",
    "atomic_replace",
    "exists",
    "hash_of",
    "is_object",
    "names_in",
    "path_of",
    "remove",
    "store_access",
    "sync_file",
    "sync_folder",
]
