"""The keyed hash: what stands for a contact or a number where it must be recognised again, but not be read.

HMAC-SHA-256 under a key of 32 random bytes, made on first need and kept in a file of its own. Without the key nobody can
tell a number from its hash by trying all numbers. Whoever loses the key can no longer recognise what was hashed under it:
so a key that is not the one used before is an error, never a reason to make another.

Not here: what is hashed (`warehouse.publish.publication`, `warehouse.erasure`).
"""

import hmac
import os
import secrets
from pathlib import Path

import duckdb

from warehouse.foundation import DataPaths, Ledger, Settings, atomic_replace

KEY_BYTES = 32
_BLOCK_BYTES = 64  # of SHA-256
_OWN_HASH = b"sendmart key"


class KeyMissing(OSError):
    """The key is not there, or is another than the one that was used before."""


class KeyedHash:
    """Hashes texts under a key; the same in Python and in SQL."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, text: str) -> str:
        """64 hexadecimal digits."""
        return hmac.digest(self._key, text.encode(), "sha256").hex()

    def show(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Gives a connection the function `keyed_hash(text)`."""
        inner, outer = (bytes(byte ^ pad for byte in self._key.ljust(_BLOCK_BYTES, b"\0")) for pad in (0x36, 0x5C))
        # The key is no data: digits and letters from a to f.
        connection.execute(
            "create or replace temporary macro keyed_hash(value) as"
            f" sha256(unhex('{outer.hex()}') || unhex(sha256(unhex('{inner.hex()}') || encode(value))))"
        )


def load_keyed_hash(settings: Settings, paths: DataPaths, ledger: Ledger) -> KeyedHash:
    """The keyed hash of a data folder; its key is made where none was ever used.

    Raises:
        KeyMissing: the key that was used before is not there.
    """
    file = settings.hash_key_file or paths.hash_key
    used = ledger.hash_key()
    key = _read(file)
    if key is None and used is None:
        key = _made(file)
    if key is None:
        raise KeyMissing(
            f"{file}: the key of the keyed hashes is not there: put it back from its backup (docs/privacy.md)"
        )
    own = hmac.digest(key, _OWN_HASH, "sha256").hex()
    if used is None:
        ledger.record_hash_key(own)
    elif used != own:
        raise KeyMissing(f"{file}: not the key that was used before: put that back from its backup (docs/privacy.md)")
    return KeyedHash(key)


def _read(file: Path) -> bytes | None:
    try:
        text = file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        text = ""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyMissing(f"{file}: must hold {KEY_BYTES} bytes as hexadecimal digits")
    return key


def _made(file: Path) -> bytes:
    key = secrets.token_bytes(KEY_BYTES)
    file.parent.mkdir(parents=True, exist_ok=True)
    temp_path = file.with_name(f".{file.name}.tmp")
    temp_path.unlink(missing_ok=True)
    # Nobody else's, whatever is set for other files.
    with os.fdopen(os.open(temp_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as written:
        written.write(key.hex() + "\n")
    atomic_replace(temp_path, file)
    return key
