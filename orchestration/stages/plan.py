"""What a refresh has to do: files to load, whether to build, to publish, to export; and which log days are missing."""

from dataclasses import dataclass, field
from datetime import datetime

from models.enums import Log
from orchestration.stages.build import is_built
from orchestration.stages.context import AppContext
from orchestration.stages.export import unexported
from orchestration.stages.publish import is_published
from warehouse.export import exports
from warehouse.lake import integrity
from warehouse.landing import completeness
from warehouse.landing.scan import LandingFile
from warehouse.ledger import now


@dataclass(frozen=True)
class RefreshPlan:
    """What a refresh has to do."""

    files: dict[Log, list[LandingFile]] = field(default_factory=dict)
    must_build: bool = False
    must_publish: bool = False
    must_export: bool = False

    @property
    def is_empty(self) -> bool:
        return not (any(self.files.values()) or self.must_build or self.must_publish or self.must_export)


def plan_refresh(context: AppContext, *, verify: bool = False, full_refresh: bool = False) -> RefreshPlan:
    """Looks at landing zone, candidate, publication and exports, and changes none of them."""
    zone = context.scan_landing()
    files = {log: context.ledger.pending_files(zone.files_of(log), verify=verify) for log in Log}
    is_damaged = bool(integrity.find_damaged(context.paths, context.ledger, verify_checksums=verify))
    must_build = full_refresh or any(files.values()) or is_damaged or not is_built(context)
    candidate = context.ledger.candidate()
    must_publish = must_build or candidate is None or not is_published(context, candidate)
    must_export = must_publish or bool(unexported(context))
    return RefreshPlan(files, must_build, must_publish, must_export)


def missing_days(context: AppContext) -> completeness.Days:
    """By log, the days that are due and of which there is no file, neither in the landing zone nor taken before."""
    settings = context.settings
    files = [*context.ledger.files(), *context.scan_landing().files]
    return completeness.missing_days(
        files, settings.logs_expected_daily, completeness.last_due_date(now(), settings.log_grace_hours)
    )


def late_days(context: AppContext) -> completeness.Days:
    """Of the missing days, those that are still waited for."""
    return completeness.late_days(missing_days(context), now())


def freshness_times(context: AppContext) -> dict[str, datetime]:
    """As of when the published marts and each export are; nothing where nothing was published yet.

    A refresh that found nothing new leaves them as they are, and as current as they can be.
    """
    published, good = context.ledger.last_publication(), context.ledger.last_good_refresh()
    if published is None:
        return {}
    marts = max(published[1], good.started_at) if good else published[1]
    behind = unexported(context)
    return {
        "published/marts": marts,
        **{f"exports/{report}": published[1] if report in behind else marts for report in exports.REPORTS},
    }
