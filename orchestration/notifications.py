"""Alerts to the receivers in SENDMART_ALERTS. An alert is recorded before it is sent: none is sent twice, and one that no
receiver accepted is sent later. An error while alerting is a warning in the log, and never fails the refresh.

Not here: Dagster. `sendmart refresh` from cron sends the same alerts as Dagster's sensors (`orchestration.defs`).
"""

import hashlib
import logging
import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec

from models.enums import Log
from models.masking import masking_logger, sanitize
from orchestration.stages import AppContext, figure_breaches, late_days
from quality.figure_alerts import Breach, describe
from warehouse.config.settings import Settings
from warehouse.landing import LandingZone, completeness
from warehouse.landing.proposals import IgnoredFiles
from warehouse.ledger import Alert, Refresh, now
from warehouse.publish.incidents import OpenIncident, open_incidents

if TYPE_CHECKING:
    from apprise import Apprise

log = masking_logger("sendmart")

MAX_LINES = 20

FIGURES_REMEMBERED = timedelta(days=60)
"""How long the ledger keeps which days broke a rule. Only the last days are checked."""


class Title(StrEnum):
    """The titles of alerts. They are stable: receivers filter by them."""

    REFRESH_HELD_BACK = "Sendmart: refresh held back"
    REFRESH_FAILED = "Sendmart: refresh failed"
    REFRESH_RECOVERED = "Sendmart: refresh recovered"
    EXPORTS_FAILED = "Sendmart: exports failed"
    EXPORTS_RECOVERED = "Sendmart: exports recovered"
    RUN_FAILED = "Sendmart: run failed"
    RUN_RECOVERED = "Sendmart: run recovered"
    TRIGGER_FAILED = "Sendmart: schedule or sensor failed"
    TRIGGER_RECOVERED = "Sendmart: schedule or sensor recovered"
    LATE_LOGS = "Sendmart: late logs"
    LOGS_ARRIVED = "Sendmart: logs arrived"
    FILES_IGNORED = "Sendmart: files ignored"
    DELIVERIES_FAIL = "Sendmart: deliveries fail"
    FIGURES_UNUSUAL = "Sendmart: figures out of range"
    MAILS_FAILED = "Sendmart: report mails failed"
    MAILS_RECOVERED = "Sendmart: report mails recovered"
    STALE = "Sendmart: figures stale"
    CURRENT = "Sendmart: figures current"
    TEST = "Sendmart: test alert"


GOOD_NEWS = (
    Title.REFRESH_RECOVERED, Title.EXPORTS_RECOVERED, Title.RUN_RECOVERED, Title.TRIGGER_RECOVERED,
    Title.LOGS_ARRIVED, Title.MAILS_RECOVERED, Title.CURRENT,
)  # fmt: skip

P = ParamSpec("P")


def _never_fails(notify: Callable[Concatenate[AppContext, P], None]) -> Callable[Concatenate[AppContext, P], None]:
    """Sends the alerts that a function raises. Does nothing without receivers; logs a warning if it fails."""

    @wraps(notify)
    def wrapper(context: AppContext, /, *arguments: P.args, **options: P.kwargs) -> None:
        if context.settings.alerts is None:
            return
        try:
            notify(context, *arguments, **options)
            send_unsent(context)
        except Exception as error:
            # Only the type of the error: its text may hold a secret URL.
            log.warning("an alert could not be raised: %s", type(error).__name__)

    return wrapper


@_never_fails
def notify_refresh(context: AppContext, outcome: Refresh, run_id: str | None = None) -> None:
    """Alerts about a refresh that failed or was held back, and about the first success after one; then about late logs."""
    since = context.ledger.alarms("refresh").get("refresh")
    refresh, occasion = f"The refresh of {_format(outcome.started_at)}", outcome.started_at.isoformat()
    if not outcome.is_good:
        is_held_back = outcome.outcome == "held back"
        title = Title.REFRESH_HELD_BACK if is_held_back else Title.REFRESH_FAILED
        last = context.ledger.last_publication()
        published = f" Build {last[0]} of {_format(last[1])} stays published." if last else ""
        text = f"{refresh} {'was held back' if is_held_back else 'failed'}.{published}"
        lines = [text, *_since_and_run(since, run_id), *outcome.message.splitlines()]
        _raise(context, title, occasion, lines, "refresh", begins=["refresh"], since=outcome.started_at)
    elif since:
        text = f"{refresh} succeeded: {outcome.outcome}. Refreshes had been failing since {_format(since)}."
        lines = [text, *_since_and_run(None, run_id)]
        _raise(context, Title.REFRESH_RECOVERED, occasion, lines, "refresh", ends=["refresh"])
    notify_late_logs(context, late_days(context))
    notify_ignored_files(context, context.scan_landing())
    notify_incidents(context, open_incidents(context.paths))
    notify_figures(context, figure_breaches(context))


@_never_fails
def notify_run(context: AppContext, name: str, run_id: str, *, failure: str | None, started_at: datetime) -> None:
    """Alerts about each failed run of a job other than the refresh (`failure`: the error), and the first success after one."""
    since = context.ledger.alarms("run").get(name)
    is_exports = name == "csv_exports"
    if failure is not None:
        title = Title.EXPORTS_FAILED if is_exports else Title.RUN_FAILED
        lines = [f"{name}: failed at {_format(now())}.", *_since_and_run(since, run_id), *failure.splitlines()]
        _raise(context, title, run_id, lines, "run", begins=[name], since=started_at)
    elif since:
        title = Title.EXPORTS_RECOVERED if is_exports else Title.RUN_RECOVERED
        text = f"{name}: succeeded. It had been failing since {_format(since)}."
        _raise(context, title, run_id, [text, *_since_and_run(None, run_id)], "run", ends=[name])


def _since_and_run(since: datetime | None, run_id: str | None) -> list[str]:
    lines = [f"Failing since {_format(since)}."] if since else []
    return [*lines, f"Dagster run {run_id}"] if run_id else lines


@_never_fails
def notify_late_logs(context: AppContext, late: completeness.Days) -> None:
    """Alerts about log days that have become late, once for each, and about late ones that have arrived."""
    kind = "late log"

    def described(subjects: Iterable[str]) -> list[str]:
        return completeness.describe_days(_days_of(subjects), context.settings.logs_expected_daily)

    reported = context.ledger.alarms(kind)
    late_subjects = _subjects(late)
    # A day that is too old to be waited for has not arrived: no alert.
    waited_for = _subjects(completeness.late_days(_days_of(reported), now()))
    context.ledger.end_alarms(kind, [subject for subject in reported if subject not in waited_for])
    if new := [subject for subject in late_subjects if subject not in reported]:
        lines = ["Late log files:", *described(new), *IgnoredFiles(context.scan_landing()).of_days(_days_of(new))]
        if before := [subject for subject in late_subjects if subject in reported]:
            lines += ["Still late:", *described(before)]
        lines += ["The figures lack these days until the files arrive. See docs/alerts.md"]
        _raise(context, Title.LATE_LOGS, ", ".join(new), lines, kind, begins=new)
    if arrived := [subject for subject in waited_for if subject not in late_subjects]:
        lines = ["Late log files that have arrived:", *described(arrived)]
        lines += ["Still late:", *described(late_subjects)] if late else ["No other file is late."]
        _raise(context, Title.LOGS_ARRIVED, ", ".join(arrived), lines, kind, ends=arrived)


@_never_fails
def notify_ignored_files(context: AppContext, zone: LandingZone) -> None:
    """Alerts about ignored files of the landing zone, once for each name."""
    kind = "ignored file"
    reported = context.ledger.alarms(kind)
    # A name may hold a phone number: the ledger keeps its hash.
    hashes = {hashlib.sha256(name.encode()).hexdigest(): name for name in zone.ignored}
    if new := {hash_: name for hash_, name in hashes.items() if hash_ not in reported}:
        ignored = IgnoredFiles(zone)
        lines = [
            "The landing zone holds files that are ignored: no figure counts their rows. See docs/contracts.md"
            " and docs/sources",
            *(ignored.describe(name) for name in new.values()),
        ]
        occasion = hashlib.sha256("".join(sorted(new)).encode()).hexdigest()
        _raise(context, Title.FILES_IGNORED, occasion, lines, kind, begins=new)


@_never_fails
def notify_incidents(context: AppContext, incidents: Iterable[OpenIncident]) -> None:
    """Alerts about open delivery incidents of the published build, once for each. Their end is told in no alert."""
    kind = "delivery incident"
    reported = context.ledger.alarms(kind)
    by_subject = {incident.subject: incident for incident in incidents}
    if new := {subject: incident for subject, incident in by_subject.items() if subject not in reported}:
        lines = [
            "Far more messages fail than in the four weeks before. See insights.delivery_incidents and docs/insights.md",
            *(incident.describe() for incident in new.values()),
        ]
        _raise(context, Title.DELIVERIES_FAIL, ", ".join(new), lines, kind, begins=new)


@_never_fails
def notify_figures(context: AppContext, found: Iterable[Breach]) -> None:
    """Alerts about days that break a rule of SENDMART_FIGURE_ALERTS, once for each day and rule."""
    kind = "figure"
    reported = context.ledger.alarms(kind)
    outdated = [subject for subject, since in reported.items() if since < now() - FIGURES_REMEMBERED]
    context.ledger.end_alarms(kind, outdated)
    if new := {breach.subject: breach for breach in found if breach.subject not in reported}:
        lines = [
            "Figures of whole days break rules of SENDMART_FIGURE_ALERTS. See docs/alerts.md",
            *(describe(breach, context.settings.reporting_currency) for breach in new.values()),
        ]
        _raise(context, Title.FIGURES_UNUSUAL, ", ".join(new), lines, kind, begins=new)


def _days_of(subjects: Iterable[str]) -> completeness.Days:
    days: completeness.Days = {}
    for subject in subjects:
        name, _, day = subject.partition(" ")
        days.setdefault(Log(name), []).append(date.fromisoformat(day))
    return days


def _subjects(days: completeness.Days) -> list[str]:
    return [f"{name} {day}" for name, log_days in days.items() for day in log_days]


@_never_fails
def notify_stale_figures(context: AppContext, stale: Mapping[str, datetime]) -> None:
    """Alerts about assets that have become stale (fresh up to a time in UTC), and about those that are fresh again."""
    lines = [f"{asset}: as of {_format(as_of)}" for asset, as_of in stale.items()]
    _notify_conditions(context, "stale", stale, Title.STALE, Title.CURRENT, lines)


@_never_fails
def notify_triggers(context: AppContext, failing: Mapping[str, tuple[datetime, str]]) -> None:
    """Alerts about `failing` schedules and sensors (since when, and the error), and about those that work again."""
    since = {name: moment for name, (moment, _) in failing.items()}
    lines = [f"{name}: {error}" for name, (_, error) in failing.items()]
    _notify_conditions(context, "trigger", since, Title.TRIGGER_FAILED, Title.TRIGGER_RECOVERED, lines)


@_never_fails
def notify_report_mails(
    context: AppContext, failing: Mapping[str, str], waiting: Iterable[str], unclear: Mapping[str, str]
) -> None:
    """Alerts about subscriptions whose mails are `failing` (why) until they are sent, and once about each mail that is `unclear`.

    A subscription that is `waiting` for data has not recovered.
    """
    reported = context.ledger.alarms("report mail")
    names = [*failing, *(name for name in waiting if name in reported and name not in failing)]
    lines = [*failing.values(), "The mails are tried again. See docs/report-mail.md"] if failing else []
    since = {name: reported.get(name, now()) for name in names}
    _notify_conditions(context, "report mail", since, Title.MAILS_FAILED, Title.MAILS_RECOVERED, lines)
    kind = "unclear report mail"
    known = context.ledger.alarms(kind)
    if new := [subject for subject in unclear if subject not in known]:
        lines = [*(unclear[subject] for subject in new), "They are not sent again. See docs/report-mail.md"]
        _raise(context, Title.MAILS_FAILED, ", ".join(new), lines, kind, begins=new)


def _notify_conditions(
    context: AppContext, kind: str, since: Mapping[str, datetime], begun: Title, ended: Title, lines: list[str]
) -> None:
    reported = context.ledger.alarms(kind)
    if new := [subject for subject in since if subject not in reported]:
        last = context.ledger.last_refresh()
        refresh = [f"Last refresh: {_format(last.started_at)}: {last.outcome}."] if last else []
        _raise(context, begun, _occasion(new, since), [*lines, *refresh], kind, begins=new)
    if resolved := [subject for subject in reported if subject not in since]:
        good_news = [f"{subject}: in order again. It began at {_format(reported[subject])}." for subject in resolved]
        still_open = ["Still open:", *lines] if lines else []
        _raise(context, ended, _occasion(resolved, reported), [*good_news, *still_open], kind, ends=resolved)


def _occasion(subjects: Iterable[str], since: Mapping[str, datetime]) -> str:
    return ", ".join(f"{subject} {since[subject].isoformat()}" for subject in subjects)


def _format(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _raise(
    context: AppContext,
    title: Title,
    occasion: str,
    lines: list[str],
    kind: str,
    *,
    begins: Iterable[str] = (),
    ends: Iterable[str] = (),
    since: datetime | None = None,
) -> None:
    alert = Alert(title, occasion, _body(context.settings, lines))
    context.ledger.raise_alert(alert, kind, begins=begins, ends=ends, since=since or now())


def _body(settings: Settings, lines: list[str]) -> str:
    listed_lines = lines[:MAX_LINES]
    if len(lines) > MAX_LINES:
        listed_lines.append(f"… and {len(lines) - MAX_LINES} more: sendmart status")
    return "\n".join(
        [*(sanitize(line) for line in listed_lines), f"On {socket.gethostname()}, data folder {settings.data}"]
    )


def send_unsent(context: AppContext) -> None:
    """Sends the recorded alerts that were not sent. An alert that no receiver accepts is kept for the next time."""
    unsent = context.ledger.unsent_alerts()
    if not unsent:
        return
    receivers = _receivers(context.settings)
    for alert in unsent:
        failed = _send(receivers, Title(alert.title), alert.body)
        if failed:
            log.warning("alert %r could not be sent to %s", alert.title, ", ".join(failed))
        if len(failed) == len(receivers):
            return
        context.ledger.record_sent(alert)


def send_test(settings: Settings) -> tuple[int, list[str]]:
    """Sends a test alert. Returns the number of receivers, and the receivers that did not accept it."""
    receivers = _receivers(settings)
    lines = ["Nothing is wrong. This is a test of SENDMART_ALERTS."]
    return len(receivers), _send(receivers, Title.TEST, _body(settings, lines))


def _receivers(settings: Settings) -> "Apprise":
    # Importing Apprise takes half a second: only if there is something to send.
    from apprise import Apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its warnings hold parts of URLs
    receivers = Apprise()
    if settings.alerts is not None:
        receivers.add(settings.alerts.get_secret_value())
    return receivers


def _send(receivers: "Apprise", title: Title, body: str) -> list[str]:
    """Sends to each receiver. Returns those that did not accept it, by their position in the setting and their service."""
    from apprise import NotifyType

    kinds = {Title.TEST: NotifyType.INFO, **dict.fromkeys(GOOD_NEWS, NotifyType.SUCCESS)}
    kind = kinds.get(title, NotifyType.FAILURE)
    failed = []
    for position, receiver in enumerate(receivers, start=1):
        is_accepted = False
        with suppress(Exception):  # the text of an error may hold the secret URL
            is_accepted = bool(receiver.notify(body=body, title=title, notify_type=kind))
        if not is_accepted:
            failed.append(f"receiver {position} ({receiver.service_name})")
    return failed
