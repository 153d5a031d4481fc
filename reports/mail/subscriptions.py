"""The file SENDMART_REPORT_SUBSCRIPTIONS: who gets which report, and how often.

Not here: when a subscription is due (`reports.mail.schedule`).
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from reports.queries.campaign_table import DEFAULT_VIEW, TableQuery
from warehouse.config.mail_server import is_mail_address
from warehouse.export import ON_REQUEST, FileFormat

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MOST_RECIPIENTS = 100
LAST_DAY = 28
"""The last day of the month on which a mail may be due: every month has it."""


class SubscriptionsInvalid(ValueError):
    """The file cannot be used. The message has one line for each problem."""


class Every(StrEnum):
    """How often a mail is sent."""

    PUBLICATION = "publication"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class _ReadParameters(dict[str, str]):
    """The parameters of a link, and the names that a page reads."""

    def __init__(self, parameters: Mapping[str, str]) -> None:
        super().__init__(parameters)
        self.names = {"columns"}

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, default)


def table_query(link: str) -> TableQuery:
    """The query of a link to the campaign table, or of its part after the question mark.

    Raises:
        ValueError: the table does not have a filter of the link, or a value of it. A page ignores such a part.
    """
    pairs = parse_qsl(urlsplit(link).query or link.lstrip("/?"), keep_blank_values=True)
    parameters = _ReadParameters(dict(pairs))
    columns = [column for name, value in pairs if name == "columns" for column in value.split(".")]
    query = TableQuery.of(parameters, columns)
    unknown = sorted(parameters.keys() - parameters.names)
    read = {"type": query.campaign_type, "from": query.sent_from, "to": query.sent_to}
    unknown += [f"{name}={parameters[name]}" for name, value in read.items() if dict(pairs).get(name) and not value]
    names = [name for value in columns for name in value.split(".") if name != DEFAULT_VIEW]
    unknown += [f"columns={name}" for name in names if name not in query.columns]
    if unknown:
        raise ValueError(f"the campaign table does not know {', '.join(unknown)}: copy the link of the table")
    return query


def _name(value: str) -> str:
    if not re.fullmatch(r"[\w .,&()+-]{1,80}", value):
        raise ValueError("must be 1 to 80 letters, digits, spaces and .,&()+-_")
    return value


def _time_of_day(value: object) -> str:
    text = value.isoformat() if isinstance(value, time) else str(value)
    match = re.fullmatch("((?:[01][0-9]|2[0-3]):[0-5][0-9])(:00)?", text)
    if not match:
        raise ValueError("must be a 24-hour time of day, such as 08:00")
    return match[1]


def _addresses(value: list[str]) -> list[str]:
    if not 1 <= len(value) <= MOST_RECIPIENTS:
        raise ValueError(f"must be 1 to {MOST_RECIPIENTS} e-mail addresses")
    for address in value:
        if not is_mail_address(address):
            raise ValueError(f"{address!r} is no e-mail address")
    return list(dict.fromkeys(value))


def _link(value: str) -> str:
    table_query(value)
    return value


def _report(value: str) -> str:
    if value not in ON_REQUEST:
        raise ValueError(f"must be one of {', '.join(ON_REQUEST)}")
    return value


class Subscription(BaseModel):
    """Which report goes to whom, and how often: an entry of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Annotated[str, AfterValidator(_name)]
    to: Annotated[
        list[str],
        BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
        AfterValidator(_addresses),
    ]
    every: Annotated[Every, Field(strict=False)]
    on: str | int | None = None
    at: Annotated[str, BeforeValidator(_time_of_day)] = "00:00"
    table: Annotated[str, AfterValidator(_link)] = ""
    report: Annotated[str, AfterValidator(_report)] | None = None
    format: Annotated[FileFormat, Field(strict=False)] = FileFormat.CSV

    @model_validator(mode="after")
    def _fits(self) -> "Subscription":
        if self.report is not None and self.table:
            raise ValueError("table, report: one of them, not both")
        if self.every is Every.PUBLICATION and self.at != "00:00":
            raise ValueError('at: not with every = "publication"')
        if self.on is not None:
            _check_day(self.every, self.on)
        return self

    @property
    def query(self) -> TableQuery:
        return table_query(self.table)

    @property
    def weekday(self) -> int:
        """The day of the week on which a weekly mail is due: 0 is Monday."""
        return WEEKDAYS.index(self.on) if isinstance(self.on, str) else 0

    @property
    def month_day(self) -> int:
        """The day of the month on which a monthly mail is due."""
        return self.on if isinstance(self.on, int) else 1


def _check_day(every: Every, on: str | int) -> None:
    if every is Every.WEEK:
        if on not in WEEKDAYS:
            raise ValueError(f"on: must be one of {', '.join(WEEKDAYS)} (is {on!r})")
    elif every is Every.MONTH:
        if not isinstance(on, int) or not 1 <= on <= LAST_DAY:
            raise ValueError(f"on: must be a day from 1 to {LAST_DAY} (is {on!r})")
    else:
        raise ValueError('on: only with every = "week" or "month"')


def load_subscriptions(file: Path) -> list[Subscription]:
    """The subscriptions in a file.

    Raises:
        SubscriptionsInvalid: it cannot be read, or an entry is invalid.
    """
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SubscriptionsInvalid(f"{file}: {error.strerror}") from error
    except ValueError as error:  # no UTF-8, or no TOML
        raise SubscriptionsInvalid(f"{file}: is no TOML file: {error}") from error
    entries = content.pop("subscription", [])
    problems = [f"{file}: {name}: no such key; entries begin with [[subscription]]" for name in content]
    if not isinstance(entries, list):
        raise SubscriptionsInvalid(f"{file}: an entry begins with [[subscription]], in two brackets")
    subscriptions = []
    for number, entry in enumerate(entries, start=1):
        try:
            subscriptions.append(Subscription.model_validate(entry))
        except ValidationError as error:
            named = isinstance(entry, dict) and isinstance(entry.get("name"), str)
            title = repr(entry["name"]) if named else f"entry {number}"
            problems += [f"{file}: {title}: {line}" for line in _complaints(error)]
    names = [subscription.name for subscription in subscriptions]
    problems += [
        f"{file}: {name!r}: two entries have this name" for name in sorted(set(names)) if names.count(name) > 1
    ]
    if problems:
        raise SubscriptionsInvalid("\n".join(problems))
    return subscriptions


def _complaints(error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        message = re.sub("^(Value error, |Input )", "", str(problem["msg"])).replace("should", "must")
        place = ".".join(str(part) for part in problem["loc"][:1])
        yield f"{place}: {message}" if place else message
