"""The erasure stage: one contact is erased everywhere, and an interrupted erasure is finished."""

import time
from dataclasses import dataclass

from models.masking import mask_phone_numbers_in_errors
from orchestration.stages.context import AppContext, log
from orchestration.stages.quarantine import publish_quarantine
from warehouse.erasure import erase_contacts, source_files_of_erased_rows
from warehouse.lake import tables as lake_tables
from warehouse.lake.integrity import LakeDamaged, delete_damaged, find_damaged
from warehouse.privacy import (
    CONTACT,
    ErasureIndex,
    contact_token,
    load_erasure_index,
    load_keyed_hash,
    reconcile_tombstones,
    save_tombstone_copy,
)
from warehouse.publish.publication import replace_uploaded_files
from warehouse.storage import is_object
from warehouse.transform.spark.builds import discard_builds


@dataclass(frozen=True)
class Erasure:
    """The result of an erasure.

    `rewritten` is the number of files by kind. `still_in_landing` are the paths of files of the landing zone that hold erased
    contacts.
    """

    rewritten: dict[str, int]
    still_in_landing: list[str]


@mask_phone_numbers_in_errors
def erase_contact(context: AppContext, contact_id: str, reason: str) -> Erasure | None:
    """Replaces a contact's id and phone numbers by random tokens in every file; None if it was erased before.

    The keyed hash of the id is recorded, so that rows that arrive later are erased, too.

    Raises:
        KeyMissing: the key of the keyed hashes is missing.
    """
    with context.paths.writer_lock():
        # First: the copy of the tombstones is written from the ledger below, and may hold some that the ledger lacks.
        check_ledger(context)
        hashes = load_keyed_hash(context.paths, context.ledger)
        if ErasureIndex(hashes, context.ledger.erased()).tokens(CONTACT, [contact_id]):
            return finish_erasures(context)
        context.ledger.record_erasure(reason, hashes.of(contact_id), contact_token())
        save_tombstone_copy(context.paths, context.ledger)
        return finish_erasures(context)


def check_ledger(context: AppContext) -> None:
    """Checks the ledger before a refresh or a load relies on it: its file, its tombstones and their key.

    Raises:
        LedgerDamaged: the ledger is damaged, or missing beside data.
        KeyMissing: contacts were erased, and the key of their hashes is missing or another one.
    """
    context.ledger.verify()
    reconcile_tombstones(context.paths, context.ledger)
    load_erasure_index(context.paths, context.ledger)


def finish_erasures(context: AppContext) -> Erasure | None:
    """Finishes erasures that were recorded, also those of a process that was killed; None if there are none.

    Raises:
        LakeDamaged: rows are damaged, and their log file is no longer in the landing zone. Nothing is erased yet.
    """
    if not context.ledger.is_erasing():
        return None
    with context.paths.writer_lock():
        started = time.perf_counter()
        lake_tables.ensure_lake(context.paths)
        _delete_damaged_files(context)
        erased = load_erasure_index(context.paths, context.ledger)
        assert erased is not None  # an erasure is recorded
        rewritten = erase_contacts(context.settings, context.paths, context.ledger, erased)
        discard_builds(context.settings, context.paths)
        context.ledger.record_published_quarantine("")
        publish_quarantine(context)
        replace_uploaded_files(context.paths)
        source_files = source_files_of_erased_rows(context.paths, context.ledger)
        context.ledger.record_erasures_finished()
        log.info("erased in %.1f s: files rewritten: %s", time.perf_counter() - started, rewritten)
        in_landing = {f"{file.log}/{file.source_file}": file.path_in_landing for file in context.scan_landing().files}
        # A file of a source may feed several logs.
        paths = dict.fromkeys(in_landing[name] for name in source_files if name in in_landing)
        return Erasure(rewritten, list(paths))


def _delete_damaged_files(context: AppContext) -> None:
    """Deletes damaged files of lake and quarantine, which cannot be searched. The next load writes them again, erased.

    To write such a file again with tokens would give it a right checksum, and hide the damage.
    """
    # Every byte of an object is a download, and the store compares checksums itself.
    is_on_disk = not is_object(context.paths.lake)
    damaged = find_damaged(context.paths, context.ledger, verify_checksums=is_on_disk)
    if not damaged:
        return
    in_landing = {(file.log, file.source_file) for file in context.scan_landing().files}
    if lost := [file for file in damaged if (file.log, file.source_file) not in in_landing]:
        raise LakeDamaged(lost)
    delete_damaged(context.paths, context.ledger, damaged)
