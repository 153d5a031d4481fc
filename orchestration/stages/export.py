"""The export stage: reports of the published build are written, and old exports are pruned."""

import time
from collections.abc import Iterable
from datetime import timedelta

from models.masking import mask_phone_numbers_in_errors
from orchestration.stages.context import AppContext, log
from warehouse.export import FileFormat, exports
from warehouse.ledger import now


@mask_phone_numbers_in_errors
def export_reports(
    context: AppContext,
    reports: Iterable[str],
    *,
    all_campaigns: bool = False,
    campaign: str | None = None,
    file_format: FileFormat = FileFormat.CSV,
    masks_phone_numbers: bool = False,
) -> list[exports.Export | exports.Unchanged]:
    """Writes reports of the published build: contact-level ones with the campaigns that changed since the last time, or
    with `all_campaigns`. Of one `campaign`, or as a spreadsheet, they are copies that the next time knows nothing of;
    `masks_phone_numbers` masks the numbers in such a copy.

    Raises:
        NothingPublished: there is no published build yet.
        ExportRefused: no mart knows the campaign, or the rows are too many for a spreadsheet.
    """
    with context.paths.writer_lock():
        started = time.perf_counter()
        told = exports.export(
            context.settings,
            context.paths,
            context.ledger,
            reports,
            all_campaigns=all_campaigns,
            campaign=campaign,
            file_format=file_format,
            masks_phone_numbers=masks_phone_numbers,
        )
        for one in told:
            log.info("%s", describe(one))
        log.info("exports: %d reports in %.1f s", len(told), time.perf_counter() - started)
        return told


def describe(told: exports.Export | exports.Unchanged) -> str:
    """What became of an export, in a line."""
    if isinstance(told, exports.Unchanged):
        return f"{told.report}: nothing has changed since {told.since}"
    if told.changed_since is None:
        return f"exported {told.file}: {told.rows} rows"
    return (
        f"exported {told.file}: {told.rows} rows of {len(told.campaigns)} campaigns, changed since {told.changed_since}"
    )


def unexported(context: AppContext) -> list[str]:
    """The reports that have not been exported from the published build yet, or of which an export was deleted."""
    last = context.ledger.last_publication()
    if last is None:
        return []
    exported = context.ledger.exported_reports(last[0])
    return [
        report
        for report in exports.REPORTS
        if report not in exported or exports.missing(context.settings, context.paths, context.ledger, report)
    ]


def export_missing(context: AppContext) -> None:
    """Writes the exports that the published build lacks, and prunes old ones."""
    export_reports(context, unexported(context))
    prune_exports(context)


def prune_exports(context: AppContext) -> list[str]:
    """Deletes exports older than the retention; nothing where the clock says that nobody refreshed for so long."""
    with context.paths.writer_lock():
        days = context.settings.export_retention_days
        last = context.ledger.last_end()
        if last is not None and now() - last > timedelta(days=days):
            # It may have jumped ahead: pruned is what is still too old at the next refresh.
            log.warning(
                "the last refresh was more than %d days ago, by the clock: no exports are pruned this time", days
            )
            return []
        deleted = exports.prune(context.paths, context.settings.export_retention_days)
        log.info("pruned %d export files older than %d days", len(deleted), context.settings.export_retention_days)
        return deleted
