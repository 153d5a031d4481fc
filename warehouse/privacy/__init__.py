"""Keyed hashes, and the tombstones of erased contacts.

Not here: erasing a contact from files (`warehouse.erasure`), file permissions (`warehouse.config.file_modes`).
"""

from warehouse.privacy.keyed_hash import KeyedHash, KeyMissing, load_keyed_hash
from warehouse.privacy.tombstones import CONTACT, NUMBER, ErasureIndex, contact_token, load_erasure_index

__all__ = [
    "CONTACT", "NUMBER", "ErasureIndex", "KeyMissing", "KeyedHash", "contact_token", "load_erasure_index", "load_keyed_hash",
]  # fmt: skip
