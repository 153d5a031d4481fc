"""Keyed hashes, and the tombstones of erased contacts.

Not here: erasing a contact from files (`warehouse.erasure`), file permissions (`warehouse.config.file_modes`).
"""

from warehouse.privacy.keyed_hash import KeyedHash, KeyMissing, load_keyed_hash
from warehouse.privacy.tombstone_copy import reconcile_tombstones, save_tombstone_copy
from warehouse.privacy.tombstones import CONTACT, NUMBER, ErasureIndex, contact_token, load_erasure_index

__all__ = [
    "CONTACT", "NUMBER", "ErasureIndex", "KeyMissing", "KeyedHash", "contact_token", "load_erasure_index", "load_keyed_hash",
    "reconcile_tombstones", "save_tombstone_copy",
]  # fmt: skip
