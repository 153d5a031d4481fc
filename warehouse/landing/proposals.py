"""What an ignored file in the landing zone seems to be: the log, the log date, and the name under which it would be read.

Not here: which names are those of log files (`warehouse.landing.names`).
"""

import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from models.enums import Log
from warehouse.landing.names import EXTENSION, log_date_of

_LOGS = {str(log): log for log in Log} | {str(log).removesuffix("s"): log for log in Log}
_DATES = (
    re.compile(r"(?<!\d)(\d{4})([-_./])(\d{1,2})\2(\d{1,2})(?!\d)", re.ASCII),
    re.compile(r"(?<!\d)(\d{4})()(\d{2})(\d{2})(?!\d)", re.ASCII),
    re.compile(r"year=(\d{4})(/)month=(\d{1,2})/day=(\d{1,2})(?!\d)", re.ASCII | re.IGNORECASE),
)
_FILE_NAME = re.compile(rf"(?P<stem>.*?)\.(?P<extension>{EXTENSION})", re.IGNORECASE)
_SEPARATORS = re.compile(r"[\s\-_.=]+")


@dataclass(frozen=True)
class LikelyFile:
    """The log and the log date that an ignored file seems to be of; `name` would be right for it, if that can be told."""

    log: Log
    log_date: date
    name: str | None


def log_named_like(word: str) -> Log | None:
    """The log whose name this word is in another case, or in the singular."""
    return _LOGS.get(word.lower())


def likely_file(name: str) -> LikelyFile | None:
    """What an ignored file seems to be; None unless log and log date can be told in one way only.

    `name` is relative to the landing zone, as in `LandingZone.ignored`.
    """
    logs = {
        log
        for part in name.split("/")
        for word in [part, *re.split(r"[^A-Za-z]+", part)]
        if (log := log_named_like(word))
    }
    dates = {(day, found.group()) for pattern in _DATES for found in pattern.finditer(name) if (day := _day(found))}
    if len(logs) != 1 or len(dates) != 1:
        return None
    (log,), ((log_date, date_text),) = logs, dates
    *folders, file_name = name.replace(date_text, "\n", 1).split("/")
    folders = [folder for folder in folders if "\n" not in folder and log_named_like(folder) is not log]
    match = _FILE_NAME.fullmatch(name.rpartition("/")[2])
    proposal = None
    if match and not folders and "\n" in file_name:
        words = [word for word in _SEPARATORS.split(match["stem"].replace(date_text, "\n")) if word]
        part = "-".join(word for word in words if log_named_like(word) is not log)
        proposal = f"{log_date}{part and '.'}{part}.{match['extension']}"
    elif match:
        proposal = (
            f"{log_date}/{match.group()}" if not folders else f"date={log_date}/{'/'.join(folders)}/{match.group()}"
        )
    is_right = proposal and log_date_of(proposal) and f"{log}/{proposal}" != name
    return LikelyFile(log, log_date, f"{log}/{proposal}" if is_right else None)


def log_of_ignored(name: str) -> Log | None:
    """The log in whose folder an ignored file is, or that it seems to be of."""
    likely = likely_file(name)
    return likely.log if likely else log_named_like(name.partition("/")[0])


def describe_ignored(name: str) -> str:
    """A line about an ignored file: its name, its likely log and log date, and its right name."""
    likely = likely_file(name)
    if likely is None:
        return f"{name}: not named like a log file, or not readable"
    return f"{name}: seems to be {likely.log} of {likely.log_date}; {_next_step(likely)}"


def ignored_of_days(names: Iterable[str], days: Mapping[Log, Container[date]]) -> list[str]:
    """A line for each ignored file that seems to be of one of these log-days."""
    likely_files = ((name, likely_file(name)) for name in names)
    return [
        f"{likely.log} of {likely.log_date}: {name} is ignored and seems to be of this day; {_next_step(likely)}"
        for name, likely in likely_files
        if likely and likely.log_date in days.get(likely.log, ())
    ]


def _next_step(likely: LikelyFile) -> str:
    return f"rename it to {likely.name}" if likely.name else "docs/contracts.md has the names of log files"


def _day(match: re.Match[str]) -> date | None:
    try:
        return date(int(match[1]), int(match[3]), int(match[4]))
    except ValueError:
        return None
