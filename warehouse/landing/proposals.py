"""What an ignored file in the landing zone seems to be: the log or source, the log date, and a free name that would be right.

Not here: which names are those of log files (`warehouse.landing.names`), and those of a source (`models.source_mapping`).
"""

import re
from collections.abc import Callable, Collection, Container, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from models.enums import Log
from models.source_mapping import SourceMapping
from warehouse.landing.names import EXTENSION, log_date_of, log_named_like
from warehouse.landing.scan import LandingZone

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


def likely_file(name: str, taken: Collection[str] = ()) -> LikelyFile | None:
    """What an ignored file seems to be, if it is in the contract of a log; None unless log and log date can be told in one way
    only.

    `name` is relative to the landing zone, as in `LandingZone.ignored`. `taken`: names that are not free.
    """
    logs = {
        log
        for part in name.split("/")
        for word in [part, *re.split(r"[^A-Za-z]+", part)]
        if (log := log_named_like(word))
    }
    dates = _dates_in(name)
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
    free = is_right and _free(f"{log}/{proposal}", taken, lambda path: log_date_of(path.partition("/")[2]) is not None)
    return LikelyFile(log, log_date, free or None)


class IgnoredFiles:
    """The ignored files of a landing zone, and the log-day that each seems to be of. No two get the same proposed name."""

    def __init__(self, zone: LandingZone) -> None:
        self.names = zone.ignored
        self._of_source = {name: _mappings_of(name, zone.mappings) for name in zone.ignored}
        self._likely: dict[str, LikelyFile | None] = {}
        self._names_in_source: dict[str, str | None] = {}
        taken = {*zone.ignored, *(file.path_in_landing for file in zone.files)}
        for name, mappings in self._of_source.items():
            if mappings:
                free = _name_in_source(name, mappings[0], taken) if len(mappings) == 1 else None
                self._names_in_source[name] = free
            else:
                self._likely[name] = likely = likely_file(name, taken)
                free = likely.name if likely else None
            taken |= {free} if free else set()

    def log_of(self, name: str) -> Log | None:
        """The log in whose folder an ignored file is, or that it seems to be of."""
        if mappings := self._of_source[name]:
            logs = {log for mapping in mappings for log in mapping.logs}
            return logs.pop() if len(logs) == 1 else None
        likely = self._likely[name]
        return likely.log if likely else log_named_like(name.partition("/")[0])

    def describe(self, name: str) -> str:
        """A line about an ignored file: its name, the log-day that it seems to be of, and the proposed name."""
        if self._of_source[name]:
            return f"{name}: {self._next_step(name)}"
        likely = self._likely[name]
        if likely:
            return f"{name}: seems to be {likely.log} of {likely.log_date}; {self._next_step(name)}"
        if "/" in name and not log_named_like(name.partition("/")[0]):
            return f"{name}: {self._next_step(name)}"
        return f"{name}: not named like a log file, or not readable"

    def of_days(self, days: Mapping[Log, Container[date]]) -> Iterator[str]:
        """A line for each ignored file that seems to be of one of these log-days."""
        for name, mappings in self._of_source.items():
            likely = self._likely.get(name)
            day = likely.log_date if likely else _only_date(name)
            logs = {log for mapping in mappings for log in mapping.logs} | ({likely.log} if likely else set())
            for log in sorted(logs):
                if day in days.get(log, ()):
                    yield f"{log} of {day}: {name} is ignored and seems to be of this day; {self._next_step(name)}"

    def _next_step(self, name: str) -> str:
        if mappings := self._of_source[name]:
            step = ", and ".join(f"the source {mapping.source} reads {mapping.files}" for mapping in mappings)
            if free := self._names_in_source[name]:
                return f"{step}; rename it to {free}"
            return f"{step}, such as {_example(mappings[-1], _only_date(name) or date(2026, 1, 5))}"
        likely = self._likely[name]
        rename = likely and likely.name and f"rename it to {likely.name}"
        if "/" in name and not log_named_like(name.partition("/")[0]):
            folder = f"{name.partition('/')[0]} is the folder of neither a log nor a source (sendmart sources list)"
            return f"{folder}; {rename} if it is in the contract of this log" if rename else folder
        return rename or "docs/contracts.md has the names of log files"


def _mappings_of(name: str, mappings: Collection[SourceMapping]) -> list[SourceMapping]:
    """The mappings of the sources in whose folder a file is, or with whose folder its name begins."""
    folder, slash, _ = name.partition("/")
    if slash:
        return [mapping for mapping in mappings if mapping.folder == folder]
    return [mapping for mapping in mappings if folder.lower().startswith(mapping.folder.lower())]


def _name_in_source(name: str, mapping: SourceMapping, taken: Collection[str]) -> str | None:
    """A free name that the pattern of a source reads with the date in this one; None if the date or the name cannot be told."""
    dates = _dates_in(name)
    if len(dates) != 1:
        return None
    ((day, date_text),) = dates
    *folders, file_name = (name if "/" in name else f"{mapping.folder}/{name}").split("/")
    stem, dot, extension = file_name.replace(date_text, "\n").partition(".")
    if match := _FILE_NAME.fullmatch(file_name):
        stem, dot, extension = match["stem"].replace(date_text, "\n"), ".", match["extension"]
    own = [word for word in _SEPARATORS.split(stem) if word and word != "\n"]
    words = [word for word in own if "/" in name or word not in mapping.folder.split("_")]
    last = mapping.files.rpartition("/")[2]
    prefix = last.partition("{date}")[0].replace("*", "") if "{date}" in last else ""
    kept = [str(day) if folder == date_text else folder for folder in folders]
    names = [
        f"{prefix}{day}.{'-'.join(words)}{dot}{extension}" if words else "",
        f"{prefix}{day}{dot}{extension}",
        file_name,
    ]
    for candidate in ("/".join([*kept, candidate]) for candidate in names if candidate):
        if mapping.log_date(candidate) == day:
            return _free(candidate, taken, lambda path: mapping.log_date(path) == day)
    return None


def _example(mapping: SourceMapping, day: date) -> str:
    """A path that the pattern of a source reads."""
    path = mapping.files.replace("{date}", str(day)).replace("**/", "")
    return "/".join("any" if part == "*" else part.replace("*", "") for part in path.split("/"))


def _free(path: str, taken: Collection[str], is_right: Callable[[str], bool]) -> str | None:
    """The path, with a number before the extension if it is taken; None if no such path is right."""
    if path not in taken:
        return path
    match = re.fullmatch(rf"(?P<stem>.*?)\.(?P<extension>{EXTENSION})", path, re.IGNORECASE)
    stem, extension = (match["stem"], match["extension"]) if match else path.rsplit(".", 1)
    numbered = (f"{stem}.{number}.{extension}" for number in range(1, len(taken) + 2))
    free = next(path for path in numbered if path not in taken)
    return free if is_right(free) else None


def _only_date(name: str) -> date | None:
    dates = _dates_in(name)
    return next(iter(dates))[0] if len(dates) == 1 else None


def _dates_in(name: str) -> set[tuple[date, str]]:
    """The dates in a name, each with its text."""
    return {(day, found.group()) for pattern in _DATES for found in pattern.finditer(name) if (day := _day(found))}


def _day(match: re.Match[str]) -> date | None:
    try:
        return date(int(match[1]), int(match[3]), int(match[4]))
    except ValueError:
        return None
