"""The quarantine stage: brings the published quarantine database up to date, with the key conflicts of the lake.

Not here: which rows are rejected (`quality.admission`).
"""

from collections.abc import Iterable
from functools import partial

import duckdb

from models.enums import Log
from orchestration.stages.context import AppContext
from warehouse.duckdb_tools import corruption_reason
from warehouse.publish.pointer import upload_files
from warehouse.quarantine import LAYOUT, delete_damaged_index, update_key_conflicts, write_published_quarantine


def publish_quarantine(context: AppContext, logs: Iterable[Log] = Log) -> None:
    """Writes `published/quarantine.duckdb` if it is not up to date or is damaged, and uploads it.

    `logs`: the logs whose rows in the lake may have changed.
    """
    update_key_conflicts(context.settings, context.paths, context.ledger, logs)
    masking = context.settings.mask_phone_numbers
    fingerprint = f"{context.ledger.quarantine_fingerprint()} {LAYOUT}" + (" masked" if masking else "")
    published = context.paths.published_quarantine
    if published.exists() and context.ledger.published_quarantine() == fingerprint and not corruption_reason(published):
        return
    write = partial(write_published_quarantine, context.settings, context.paths, mask_phone_numbers=masking)
    try:
        write(context.ledger.files())
    except duckdb.Error as error:
        if not delete_damaged_index(context.paths, error):
            raise
        update_key_conflicts(context.settings, context.paths, context.ledger)
        write(context.ledger.files())
    upload_files(context.paths, published)
    context.ledger.record_published_quarantine(fingerprint)
