"""The second copy of the tombstones, beside the key of the keyed hashes: erased contacts stay erased if the ledger is lost.

The copy holds keyed hashes and tokens, the fingerprint of the key, and a checksum. It is written after each change of the
ledger's tombstones, and compared with them at the start of each refresh. Data folders that share a key file share the copy:
a contact that is erased in one of them is erased in the others, too.

Not here: the tombstones (`warehouse.privacy.tombstones`), erasing values from files (`warehouse.erasure`).
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from models.masking import masking_logger
from warehouse.config import DataPaths
from warehouse.ledger import Erased, Ledger, LedgerDamaged
from warehouse.privacy.keyed_hash import KeyMissing, write_private_temp_file
from warehouse.storage import atomic_replace, read_json_object

log = masking_logger("sendmart")


@dataclass(frozen=True)
class _Copy:
    """The content of the file: the fingerprint of the key, and the tombstones."""

    key_fingerprint: str | None
    erased: tuple[Erased, ...]

    def encode(self) -> str:
        content = {"key": self.key_fingerprint, "erased": [asdict(tombstone) for tombstone in self.erased]}
        return json.dumps(content | {"sha256": _checksum(content)}, indent=1) + "\n"


def _checksum(content: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def save_tombstone_copy(paths: DataPaths, ledger: Ledger) -> None:
    """Adds the ledger's tombstones to the copy, which keeps those of other data folders.

    Raises:
        KeyMissing: the copy was written under another key than the one that the ledger records.
    """
    recorded = ledger.erased()
    try:
        copy = _read(paths, ledger)
    except ValueError:  # damaged since the refresh began
        copy = None
    others = _missing_from(recorded, copy.erased) if copy else []
    _write(paths, _Copy(ledger.hash_key(), (*recorded, *others)))


def _write(paths: DataPaths, copy: _Copy) -> None:
    temp_path = write_private_temp_file(paths, paths.tombstone_copy, copy.encode())
    atomic_replace(temp_path, paths.tombstone_copy)


def reconcile_tombstones(paths: DataPaths, ledger: Ledger) -> None:
    """Adds tombstones that only the copy has to the ledger, and the reverse.

    A tombstone that the ledger lacks is from after a backup that was restored, from a ledger that was lost, or from another
    data folder with the same key file. Its erasure becomes unfinished: `finish_erasures` erases the contact from all files.

    Raises:
        KeyMissing: the copy was written under another key than the one that the ledger records.
        LedgerDamaged: the copy is damaged, and the ledger has no tombstones.
    """
    recorded = ledger.erased()
    try:
        copy = _read(paths, ledger)
    except ValueError as error:
        if not recorded:
            raise LedgerDamaged(
                f"{paths.tombstone_copy} is damaged ({error}), and the ledger holds no erased contact:"
                " restore one of the two from a backup"
            ) from error
        log.warning("%s was damaged (%s) and is written again from the ledger", paths.tombstone_copy, error)
        copy = None
    if copy is None:
        if recorded:
            save_tombstone_copy(paths, ledger)
        return
    if copy.key_fingerprint and ledger.hash_key() is None:
        ledger.record_hash_key(copy.key_fingerprint)
    missing = _missing_from(recorded, copy.erased)
    if missing:
        ledger.restore_erased(missing, "recorded in the copy of the tombstones")
        log.warning(
            "%d erased contacts and numbers in %s were not in the ledger: it is an older one, or they were erased in another"
            " data folder with the same key file. They are erased here, too.",
            len(missing), paths.tombstone_copy,
        )  # fmt: skip
    if missing or _missing_from(copy.erased, recorded):
        save_tombstone_copy(paths, ledger)


def _missing_from(tombstones: Iterable[Erased], expected: Iterable[Erased]) -> list[Erased]:
    """Those of the `expected` tombstones that `tombstones` lacks."""
    present = {(tombstone.kind, tombstone.hash) for tombstone in tombstones}
    return [tombstone for tombstone in expected if (tombstone.kind, tombstone.hash) not in present]


def _read(paths: DataPaths, ledger: Ledger) -> _Copy | None:
    """The copy; None if it does not exist.

    Raises:
        ValueError: the file is damaged.
        KeyMissing: it was written under another key than the one that the ledger records.
    """
    try:
        content = read_json_object(paths.tombstone_copy)
    except FileNotFoundError:
        return None
    if content.pop("sha256", None) != _checksum(content):
        raise ValueError("its checksum is wrong")
    recorded_key = ledger.hash_key()
    if content["key"] and recorded_key and content["key"] != recorded_key:
        raise KeyMissing(
            f"{paths.tombstone_copy} was written under another key than the one that {paths.ledger} records:"
            " set SENDMART_HASH_KEY_FILE to the key of this data folder, or restore it from a backup (docs/privacy.md)"
        )
    return _Copy(content["key"], tuple(Erased(**tombstone) for tombstone in content["erased"]))
