"""The days of the published build that break a rule of SENDMART_FIGURE_ALERTS.

Not here: the alert (`orchestration.notifications`).
"""

from datetime import date, timedelta

from models.enums import Log
from models.figure_rules import parse_rules
from orchestration.stages.context import AppContext
from orchestration.stages.plan import missing_days
from quality.figure_alerts import Breach, breaches
from warehouse.publish.daily_figures import daily_figures

_LOGS = (Log.SENDS, Log.RECEIPTS, Log.UNSUBSCRIBES)
"""The logs that the figures of the rules come from."""


def figure_breaches(context: AppContext) -> list[Breach]:
    """The breaches on whole days. A day that lacks a file of its logs is left out: its figures are not whole."""
    settings = context.settings
    if settings.figure_alerts is None:
        return []
    return breaches(
        parse_rules(settings.figure_alerts),
        daily_figures(context.paths, settings.time_zone),
        _days_without_file(context),
    )


def _days_without_file(context: AppContext) -> set[date]:
    missing = missing_days(context)
    utc_days = {day for log in _LOGS for day in missing.get(log, ())}
    # Outside of UTC, a UTC day is part of two days.
    offsets = (0,) if context.settings.report_timezone == "UTC" else (-1, 0, 1)
    return {day + timedelta(days=offset) for day in utc_days for offset in offsets}
