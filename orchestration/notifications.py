"""Telling people: what failed, what recovered, which logs are late. One hook, SENDMART_ALERTS, wherever it leads.

Each alert is first noted in the ledger and then sent, so that what could not be sent is sent at the next occasion, and
nothing is told twice. Alerting never fails what it tells of: what goes wrong here is a warning in the log. Where the
setting is empty, nothing is noted and nothing is sent.

No Dagster here: `sendmart refresh` from cron tells the same as Dagster's sensors do (`defs/alerts.py`).
"""

import logging
import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import date, datetime
from enum import StrEnum
from functools import wraps
from typing import TYPE_CHECKING, Any

from models.enums import Log
from models.masking import masking_logger, sanitize
from orchestration.stages import AppContext, late_days
from warehouse.config.settings import Settings
from warehouse.landing import completeness
from warehouse.ledger import Alert, Refresh, now

if TYPE_CHECKING:
    from apprise import Apprise

log = masking_logger("sendmart")

LINES_SHOWN = 20


class Title(StrEnum):
    """The titles of alerts: stable, so that a receiver can sort by them."""

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
    STALE = "Sendmart: figures stale"
    CURRENT = "Sendmart: figures current"
    TEST = "Sendmart: test alert"

    @property
    def is_good_news(self) -> bool:
        return self in (
            Title.REFRESH_RECOVERED, Title.EXPORTS_RECOVERED, Title.RUN_RECOVERED, Title.TRIGGER_RECOVERED,
            Title.LOGS_ARRIVED, Title.CURRENT,
        )  # fmt: skip


def _never_fails(tell: Callable[..., None]) -> Callable[..., None]:
    """Nothing where nobody is to be told; a warning where telling fails."""

    @wraps(tell)
    def told(context: AppContext, *arguments: Any, **named: Any) -> None:
        if context.settings.alerts is None:
            return
        try:
            tell(context, *arguments, **named)
        except Exception as error:
            # Its kind alone: its words may hold the secret.
            log.warning("an alert could not be raised: %s", type(error).__name__)

    return told


@_never_fails
def after_refresh(context: AppContext, ended: Refresh, run_id: str | None = None) -> None:
    """Tells how a refresh ended, if it failed, or is the first good one after one that did; then of late logs."""
    _of_refresh(context, ended, run_id)
    of_late_logs(context, late_days(context))


def _of_refresh(context: AppContext, ended: Refresh, run_id: str | None) -> None:
    kind = "refresh"
    since = context.ledger.alarms(kind).get(kind)
    started = f"The refresh of {_moment(ended.started_at)}"
    occasion = ended.started_at.isoformat()
    if ended.outcome in ("published", "nothing new"):
        if since:
            lines = [f"{started}: {ended.outcome}. Failing since {_moment(since)}."]
            _raise(context, Title.REFRESH_RECOVERED, occasion, [*lines, *_run(run_id)], kind, ends=[kind])
        return
    is_held_back = ended.outcome == "held back"
    title = Title.REFRESH_HELD_BACK if is_held_back else Title.REFRESH_FAILED
    lines = [f"{started} {'was held back' if is_held_back else 'failed'}.{_so_far(context)}", *_since(since)]
    _raise(
        context, title, occasion, [*lines, *_run(run_id), *ended.message.splitlines()], kind,
        begins=[kind], since=ended.started_at,
    )  # fmt: skip


def _so_far(context: AppContext) -> str:
    last = context.ledger.last_publication()
    return f" Build {last[0]}, published {_moment(last[1])}, is what people see." if last else ""


@_never_fails
def of_run(context: AppContext, what: str, run_id: str, *, failure: str | None, started_at: datetime) -> None:
    """Tells how a run of anything but a refresh ended: of each failure, and of the first success after one."""
    kind = "run"
    since = context.ledger.alarms(kind).get(what)
    is_exports = what == "csv_exports"
    if failure is None:
        if since:
            title = Title.EXPORTS_RECOVERED if is_exports else Title.RUN_RECOVERED
            lines = [f"{what}: succeeded. Failing since {_moment(since)}."]
            _raise(context, title, run_id, [*lines, *_run(run_id)], kind, ends=[what])
    else:
        title = Title.EXPORTS_FAILED if is_exports else Title.RUN_FAILED
        lines = [f"{what}: failed at {_moment(now())}.", *_since(since), *_run(run_id), *failure.splitlines()]
        _raise(context, title, run_id, lines, kind, begins=[what], since=started_at)
    send_unsent(context)


@_never_fails
def of_late_logs(context: AppContext, late: completeness.Days) -> None:
    """Tells which log-days have become late, once for each, and which of them have come."""
    kind = "late log"
    expected = context.settings.logs_expected_daily
    told = _days_of(context.ledger.alarms(kind))
    # What is not waited for any more has not come, and is no news.
    still_waited_for = completeness.late_days(told, now())
    context.ledger.end_alarms(kind, _subjects(_without(told, still_waited_for)))
    if new := _without(late, told):
        lines = ["Due, and not there:", *completeness.describe_days(new, expected)]
        if before := _without(late, new):
            lines += ["Late as before:", *completeness.describe_days(before, expected)]
        lines += ["Figures lack them until they come. See docs/alerts.md"]
        subjects = _subjects(new)
        _raise(context, Title.LATE_LOGS, ", ".join(subjects), lines, kind, begins=subjects)
    if come := _without(still_waited_for, late):
        lines = ["Late, and there now:", *completeness.describe_days(come, expected)]
        lines += ["Still late:", *completeness.describe_days(late, expected)] if late else ["Nothing else is late."]
        subjects = _subjects(come)
        _raise(context, Title.LOGS_ARRIVED, ", ".join(subjects), lines, kind, ends=subjects)
    send_unsent(context)


def _days_of(alarms: Iterable[str]) -> completeness.Days:
    days: completeness.Days = {}
    for subject in alarms:
        name, _, day = subject.partition(" ")
        days.setdefault(Log(name), []).append(date.fromisoformat(day))
    return days


def _subjects(days: Mapping[Log, Iterable[date]]) -> list[str]:
    return [f"{name} {day}" for name, of_log in days.items() for day in of_log]


def _without(days: completeness.Days, others: completeness.Days) -> completeness.Days:
    left = {name: [day for day in of_log if day not in others.get(name, ())] for name, of_log in days.items()}
    return {name: of_log for name, of_log in left.items() if of_log}


@_never_fails
def of_stale_figures(context: AppContext, stale: Mapping[str, datetime]) -> None:
    """Tells which assets that people read are stale, and as of when they are; and which are not any more."""
    lines = [f"{asset}: as of {_moment(as_of)}" for asset, as_of in stale.items()]
    _of_conditions(context, "stale", stale, Title.STALE, Title.CURRENT, lines)


@_never_fails
def of_triggers(context: AppContext, failing: Mapping[str, tuple[datetime, str]]) -> None:
    """Tells which schedules and sensors fail, so that no run starts that could fail; and which do not any more."""
    since = {name: moment for name, (moment, _) in failing.items()}
    lines = [f"{name}: {words}" for name, (_, words) in failing.items()]
    _of_conditions(context, "trigger", since, Title.TRIGGER_FAILED, Title.TRIGGER_RECOVERED, lines)


def _of_conditions(
    context: AppContext, kind: str, since: Mapping[str, datetime], begun: Title, ended: Title, lines: list[str]
) -> None:
    told = context.ledger.alarms(kind)
    if new := [subject for subject in since if subject not in told]:
        occasion = ", ".join(f"{subject} {since[subject].isoformat()}" for subject in new)
        _raise(context, begun, occasion, [*lines, *_so_far_lines(context)], kind, begins=new)
    if gone := [subject for subject in told if subject not in since]:
        occasion = ", ".join(f"{subject} {told[subject].isoformat()}" for subject in gone)
        words = [f"{subject}: as it should be; it was not since {_moment(told[subject])}" for subject in gone]
        _raise(context, ended, occasion, [*words, *(["Still not:", *lines] if lines else [])], kind, ends=gone)
    send_unsent(context)


def _so_far_lines(context: AppContext) -> list[str]:
    last = context.ledger.last_refresh()
    return [f"Last refresh: {_moment(last.started_at)}: {last.outcome}."] if last else []


def _since(since: datetime | None) -> list[str]:
    return [f"So since {_moment(since)}."] if since else []


def _run(run_id: str | None) -> list[str]:
    return [f"Dagster's run {run_id}"] if run_id else []


def _moment(moment: datetime) -> str:
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
    body = _body(context.settings, lines)
    alert = Alert(title, occasion, body)
    context.ledger.raise_alert(alert, kind, begins=begins, ends=ends, since=since or now())


def _body(settings: Settings, lines: list[str]) -> str:
    shown = lines[:LINES_SHOWN]
    if len(lines) > LINES_SHOWN:
        shown.append(f"… and {len(lines) - LINES_SHOWN} more; sendmart status lists them")
    return "\n".join([*(sanitize(line) for line in shown), f"On {socket.gethostname()}, data folder {settings.data}"])


@_never_fails
def send_unsent(context: AppContext) -> None:
    """Sends what was raised and not sent. What no receiver takes stays, for the next occasion."""
    unsent = context.ledger.unsent_alerts()
    if not unsent:
        return
    receivers = _receivers(context.settings)
    for alert in unsent:
        refusing = _send(receivers, Title(alert.title), alert.body)
        if refusing:
            log.warning("alert %r could not be sent to %s", alert.title, ", ".join(refusing))
        if len(refusing) == len(receivers):
            return  # nobody can be reached: sent at the next occasion
        context.ledger.record_sent(alert)


def send_test(settings: Settings) -> tuple[int, list[str]]:
    """Sends a test alert; gives the number of receivers, and those that it did not reach."""
    receivers = _receivers(settings)
    lines = ["Nothing is wrong: somebody tried whether alerts arrive."]
    return len(receivers), _send(receivers, Title.TEST, _body(settings, lines))


def _receivers(settings: Settings) -> "Apprise":
    # It takes half a second to import: only where there is something to send.
    from apprise import Apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its warnings hold parts of addresses
    receivers = Apprise()
    receivers.add(settings.alerts.get_secret_value())
    return receivers


def _send(receivers: "Apprise", title: Title, body: str) -> list[str]:
    """Sends to each receiver; gives those that did not take it, by their place in the setting and their kind."""
    from apprise import NotifyType

    kind = NotifyType.SUCCESS if title.is_good_news else NotifyType.FAILURE
    refusing = []
    for place, receiver in enumerate(receivers, start=1):
        taken = False
        with suppress(Exception):  # whatever it is, its words may hold the secret
            taken = bool(
                receiver.notify(body=body, title=title, notify_type=NotifyType.INFO if title is Title.TEST else kind)
            )
        if not taken:
            refusing.append(f"receiver {place} ({receiver.service_name})")
    return refusing
