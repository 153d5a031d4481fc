"""The export stage: exports reports of the published build, and prunes old exports and leftovers.

Not here: the files themselves (`warehouse.export`).
"""

import time
from collections.abc import Iterable
from datetime import timedelta
from functools import partial

from models.masking import mask_phone_numbers_in_errors
from orchestration.stages.context import AppContext, log
from orchestration.wording import counted
from warehouse.export import FileFormat, RowSelection, exports
from warehouse.ledger import now
from warehouse.transform.snapshot_build import delete_leftovers


@mask_phone_numbers_in_errors
def export_reports(
    context: AppContext,
    reports: Iterable[str],
    *,
    all_campaigns: bool = False,
    campaign: str | None = None,
    file_format: FileFormat = FileFormat.CSV,
    masks_phone_numbers: bool = False,
    selection: RowSelection | None = None,
) -> list[exports.Export | exports.Unchanged]:
    """Exports reports of the published build; contact-level ones with the campaigns that changed since their last export, or
    all.

    Exports of one `campaign` or of a `selection` of rows, and spreadsheets, are copies, which the next export ignores;
    `masks_phone_numbers` applies to them. Raises NothingPublished, or ExportRefused if no mart has the campaign or a
    spreadsheet cannot hold the rows.
    """
    with context.paths.writer_lock():
        started = time.perf_counter()
        results = exports.export(
            context.settings, context.paths, context.ledger, reports, all_campaigns=all_campaigns, campaign=campaign,
            file_format=file_format, masks_phone_numbers=masks_phone_numbers, selection=selection,
        )  # fmt: skip
        for result in results:
            log.info("%s", describe_export(result))
        log.info("exports: %s in %.1f s", counted(len(results), "report"), time.perf_counter() - started)
        return results


def describe_export(result: exports.Export | exports.Unchanged) -> str:
    if isinstance(result, exports.Unchanged):
        return f"{result.report}: nothing has changed since {result.since}"
    line = f"exported {result.file}: {result.rows} rows"
    if result.changed_since is None:
        return line
    return f"{line} of {len(result.campaigns)} campaigns, changed since {result.changed_since}"


def reports_to_export(context: AppContext) -> list[str]:
    """The reports that the published build was not exported to yet, or that lack an export because it was deleted."""
    last = context.ledger.last_publication()
    if last is None:
        return []
    exported = context.ledger.exported_reports(last[0])
    missing = partial(exports.missing, context.settings, context.paths, context.ledger)
    return [report for report in exports.REPORTS if report not in exported or missing(report)]


def export_missing(context: AppContext) -> None:
    """Exports what the published build was not exported to yet, and prunes old exports."""
    export_reports(context, reports_to_export(context))
    prune_exports(context)


def prune_exports(context: AppContext) -> list[str]:
    """Deletes exports older than SENDMART_EXPORT_RETENTION_DAYS and returns their names; none if the clock may be wrong.

    Deletes what killed `sendmart what-if` and `sendmart replay` left, too.
    """
    with context.paths.writer_lock():
        if snapshots := delete_leftovers(context.settings):
            log.info("deleted %s that killed commands left", counted(snapshots, "snapshot"))
        days = context.settings.export_retention_days
        last = context.ledger.last_end()
        if last is not None and now() - last > timedelta(days=days):
            log.warning("the last refresh is over %d days ago, or the clock is wrong: no exports are pruned", days)
            return []
        deleted = exports.prune(context.paths, days)
        if deleted:
            log.info("pruned %s older than %s", counted(len(deleted), "export file"), counted(days, "day"))
        return deleted
