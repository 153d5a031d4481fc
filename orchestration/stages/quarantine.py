"""The quarantine stage: brings the published quarantine database up to date.

Not here: which rows are rejected (`quality.admission`).
"""

from orchestration.stages.context import AppContext
from warehouse.duckdb_tools.health import corruption_reason
from warehouse.publish import upload_files
from warehouse.quarantine.published import LAYOUT
from warehouse.quarantine.published import publish_quarantine as write_published_quarantine


def publish_quarantine(context: AppContext) -> None:
    """Writes `published/quarantine.duckdb` from the quarantine, unless it is up to date."""
    is_masked = context.settings.mask_phone_numbers
    fingerprint = f"{context.ledger.quarantine_fingerprint()} {LAYOUT}" + (" masked" if is_masked else "")
    published = context.paths.published_quarantine
    if published.exists() and context.ledger.published_quarantine() == fingerprint and not corruption_reason(published):
        return
    refused = [
        {"log": file.log, "log_date": file.log_date, "source_file": file.source_file, "reason": file.refusal}
        for file in context.ledger.files()
        if file.refusal
    ]
    write_published_quarantine(context.paths, refused, mask_phone_numbers=is_masked)
    upload_files(context.paths, published)
    context.ledger.record_published_quarantine(fingerprint)
