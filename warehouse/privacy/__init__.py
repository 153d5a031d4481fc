"""Keyed hashes, and the tombstones of erased contacts.

Not here: erasing a contact from files (`warehouse.erasure`), file permissions (`warehouse.config.file_modes`).
"""

from warehouse.privacy.keyed_hash import KeyedHash, load_keyed_hash
from warehouse.privacy.tombstones import CONTACT, NUMBER, Erased, ErasureIndex

__all__ = ["CONTACT", "NUMBER", "Erased", "ErasureIndex", "KeyedHash", "load_keyed_hash"]
