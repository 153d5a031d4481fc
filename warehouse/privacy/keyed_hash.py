"""The keyed hash, HMAC-SHA-256: it stands for a contact or a phone number that must be recognised, but not read.

Without the key, which is in a file of its own, nobody finds the number of a hash by trying all numbers. With another key, old
hashes would not be recognised: a key other than the recorded one is an error, and is never replaced by a new one.

Not here: what is hashed (`warehouse.publish.published_file`, `warehouse.privacy.tombstones`).
"""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

import duckdb

from warehouse.config import DataPaths
from warehouse.ledger import Ledger
from warehouse.storage import NotRegularFile, atomic_replace, open_regular, sync_file, sync_folder

KEY_BYTES = 32
_SHA256_BLOCK_BYTES = 64
_FINGERPRINT_TEXT = b"sendmart key"


class KeyMissing(OSError):
    """The key does not exist, or is not the one that was used before."""


class KeyedHash:
    """Hashes texts under a key. Python and SQL give the same hashes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, text: str) -> str:
        """The hash of a text: 64 hexadecimal digits."""
        return hmac.digest(self._key, text.encode(), "sha256").hex()

    def create_macro(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Creates the temporary macro `keyed_hash(text)`."""
        inner, outer = (
            bytes(byte ^ pad for byte in self._key.ljust(_SHA256_BLOCK_BYTES, b"\0")) for pad in (0x36, 0x5C)
        )
        # The text of the statement holds hexadecimal digits only.
        connection.execute(
            "create or replace temporary macro keyed_hash(value) as"
            f" sha256(unhex('{outer.hex()}') || unhex(sha256(unhex('{inner.hex()}') || encode(value))))"
        )


def load_keyed_hash(paths: DataPaths, ledger: Ledger) -> KeyedHash:
    """The keyed hash of a data folder, whose key is created at first use; KeyMissing if it is not the one used before."""
    file = paths.hash_key
    recorded = ledger.hash_key()
    key = _read_key(file)
    if key is None and recorded is None:
        _create_key(paths)
        key = _read_key(file)
    if key is None:
        raise KeyMissing(
            f"{file}: the key of the keyed hashes does not exist: restore it from a backup (docs/privacy.md)"
        )
    fingerprint = hmac.digest(key, _FINGERPRINT_TEXT, "sha256").hex()
    if recorded is None:
        ledger.record_hash_key(fingerprint)
    elif recorded != fingerprint:
        raise KeyMissing(f"{file}: not the key that was used before: restore that key from a backup (docs/privacy.md)")
    return KeyedHash(key)


def _read_key(file: Path) -> bytes | None:
    try:
        with open_regular(file) as key_file:
            key = bytes.fromhex(key_file.read().decode("ascii").strip())
    except FileNotFoundError:
        return None
    except (ValueError, NotRegularFile):  # not ASCII, not hexadecimal, or a named pipe
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyMissing(f"{file}: must hold {KEY_BYTES} bytes as hexadecimal digits")
    return key


def _create_key(paths: DataPaths) -> None:
    """Creates the key file, unless another data folder with the same file creates it in the same moment."""
    file = paths.hash_key
    file.parent.mkdir(parents=True, exist_ok=True)
    temp_path = write_private_temp_file(paths, file, secrets.token_bytes(KEY_BYTES).hex() + "\n")
    sync_file(temp_path)
    try:
        os.link(temp_path, file)  # unlike a rename, it replaces no file
        sync_folder(file.parent)
    except FileExistsError:
        pass
    except OSError:  # not every file system has hard links
        atomic_replace(temp_path, file)
    finally:
        temp_path.unlink(missing_ok=True)


def write_private_temp_file(paths: DataPaths, file: Path, content: str) -> Path:
    """Writes a temporary file, which will become `file`. Only its owner reads it, whatever SENDMART_UMASK says.

    The writers of one data folder hold its lock. Those of another one, with the same key file, write another temporary file.
    """
    temp_path = paths.temp_path(file, by=hashlib.sha256(os.fsencode(paths.data.absolute())).hexdigest()[:12])
    temp_path.unlink(missing_ok=True)
    descriptor = os.open(temp_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(content)
    return temp_path
