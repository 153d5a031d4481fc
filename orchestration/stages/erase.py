"""The erasure stage: one contact is erased everywhere, and an interrupted erasure is finished."""

import time
from dataclasses import dataclass

from models.masking import mask_phone_numbers_in_errors
from orchestration.stages.context import AppContext, log
from orchestration.stages.quarantine import publish_quarantine
from warehouse.erasure import erase_contacts, source_files_of_erased_rows
from warehouse.lake import tables as lake_tables
from warehouse.privacy.keyed_hash import load_keyed_hash
from warehouse.privacy.tombstones import CONTACT, ErasureIndex, contact_token, erasure_index
from warehouse.publish import replace_uploaded_files
from warehouse.transform import spark


@dataclass(frozen=True)
class Erasure:
    """What came of an erasure: files rewritten, by place; and files of the landing zone that hold what was erased."""

    rewritten: dict[str, int]
    still_in_landing: list[str]


@mask_phone_numbers_in_errors
def erase_contact(context: AppContext, contact_id: str, reason: str) -> Erasure | None:
    """Puts tokens in place of a contact and its numbers, wherever they stand; None where that was done before.

    It is remembered by a keyed hash: rows that come later are read the same way.

    Raises:
        KeyMissing: the key of the keyed hashes is gone.
    """
    with context.paths.writer_lock():
        lake_tables.ensure_lake(context.paths)
        hashes = load_keyed_hash(context.settings, context.paths, context.ledger)
        if ErasureIndex(hashes, context.ledger.erased()).tokens(CONTACT, [contact_id]):
            return finish_erasures(context)
        context.ledger.record_erasure(reason, hashes.of(contact_id), contact_token())
        return finish_erasures(context)


def finish_erasures(context: AppContext) -> Erasure | None:
    """Carries on what was begun to be erased, here or by a process that was killed; None where nothing was."""
    if not context.ledger.is_erasing():
        return None
    with context.paths.writer_lock():
        started = time.perf_counter()
        erased = erasure_index(context.settings, context.paths, context.ledger)
        rewritten = erase_contacts(context.settings, context.paths, context.ledger, erased)
        spark.discard_builds(context.settings, context.paths)
        context.ledger.record_published_quarantine("")
        publish_quarantine(context)
        replace_uploaded_files(context.paths)
        from_files = source_files_of_erased_rows(context.paths, context.ledger)
        context.ledger.record_erasures_finished()
        log.info("erased in %.1f s: files rewritten: %s", time.perf_counter() - started, rewritten)
        lying = {f"{file.log}/{file.source_file}" for file in context.scan_landing().files}
        return Erasure(rewritten, [name for name in from_files if name in lying])
