"""Files on disk and objects under `s3://`: one path type for both, atomic writes, checksums, stats, removal.

The ground floor: it imports no other room. The other rooms import it by this package, not by its modules.

Not here: which file lies where (`warehouse.config.paths`), what DuckDB needs to read objects (`warehouse.duckdb_tools`).
"""

from warehouse.storage.atomic import atomic_replace, exists, link_or_copy, names_in, remove, sync_file, sync_folder
from warehouse.storage.file_stat import Checksum, FileStat, NotRegularFile, hash_of, open_regular, read_json_object
from warehouse.storage.object_store import (
    SCHEME,
    AnyPath,
    ObjectInfo,
    ObjectStoreFailed,
    fetch,
    head_object,
    is_object,
    list_objects,
    path_of,
    store_access,
)
from warehouse.storage.object_store import put as upload
from warehouse.storage.object_store import read as read_object
from warehouse.storage.object_store import sha256 as object_sha256

__all__ = [
    "SCHEME", "AnyPath", "Checksum", "FileStat", "NotRegularFile", "ObjectInfo", "ObjectStoreFailed",
    "atomic_replace", "exists", "fetch",
    "hash_of", "head_object", "is_object", "link_or_copy", "list_objects", "names_in", "object_sha256", "open_regular",
    "path_of", "read_json_object", "read_object", "remove",
    "store_access", "sync_file", "sync_folder", "upload",
]  # fmt: skip
