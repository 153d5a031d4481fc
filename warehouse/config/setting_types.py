"""The types of settings: what a value may be, and the message if it is not.

Not here: the settings themselves (`warehouse.config.settings`).
"""

import logging
import os
import re
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, SecretStr

from models.enums import Log
from models.figure_rules import parse_rules
from warehouse.config.mail_server import is_mail_address, parse_smtp_url
from warehouse.storage import SCHEME, AnyPath, path_of

PROJECT = Path(__file__).resolve().parents[2]
"""The folder of the checkout. Relative paths in settings start here, wherever a command is run."""

MIN_MEMORY = 100_000_000
"""Bytes; with less, DuckDB cannot build even a small warehouse."""

MAX_WINDOW_HOURS = 87_600
"""Longest conversion window: ten years."""
MAX_HARD_BOUNCES = 1_000
"""The largest number of consecutive hard bounces that may suppress a number."""
MIN_TOKEN_CHARACTERS = 16
MAX_NUMBERS = 20
"""The largest number of whole numbers in one value."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")


def _folder(path: Path) -> Path:
    folder = PROJECT / path.expanduser()
    # A URL would be read as a relative path, and a folder `s3:` would be created in the checkout.
    if _URL.match(str(path)) or (folder.exists() and not folder.is_dir()):
        raise ValueError("must be a folder")
    return folder


def _folder_or_prefix(value: str | Path) -> AnyPath:
    if str(value).startswith(SCHEME):
        return path_of(str(value))
    if _URL.match(str(value)):
        raise ValueError("must be a folder, or s3://bucket/prefix")
    return _folder(Path(value))


def _writable_folder(path: Path) -> Path:
    folder = _folder(path)
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not os.access(existing, os.W_OK | os.X_OK):
        raise ValueError("must be a folder that can be written")
    return folder


def _file(path: Path) -> Path:
    file = PROJECT / path.expanduser()
    if _URL.match(str(path)) or file.is_dir():
        raise ValueError("must be a file")
    return file


def bytes_of(memory: str) -> float:
    """The number of bytes of a memory limit, such as 2500MB or 4GiB. Raises ValueError."""
    match = re.fullmatch(r"([1-9][0-9]*(?:\.[0-9]+)?) ?([KMGT])(i?)B", memory)
    if not match:
        raise ValueError("must be a number with a unit, such as 2500MB or 4GiB")
    number, unit, binary = match.groups()
    return float(number) * float(1024 if binary else 1000) ** (" KMGT".index(unit))


def _memory_limit(value: str) -> str:
    if bytes_of(value) < MIN_MEMORY:
        raise ValueError(f"must be at least {MIN_MEMORY // 1_000_000}MB")
    return value


def _matching(pattern: str, requirement: str) -> AfterValidator:
    """Accepts text that matches a pattern as a whole. The error message is `must be <requirement>`."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"must be {requirement}")
        return value

    return AfterValidator(check)


@cache
def _time_zones() -> set[str]:
    return available_timezones() - {"localtime", "Factory", "posixrules"}


def _time_zone(value: str) -> str:
    # The default without a look: to list all zones takes longer than to read the other settings.
    if value != "UTC" and value not in _time_zones():
        raise ValueError("must be a time zone of the IANA database, such as Europe/Berlin")
    return value


def _log_names(value: str) -> str:
    names = [name.strip() for name in value.split(",")]
    if unknown := sorted(set(names) - set(Log)):
        raise ValueError(f"must be names of logs, separated by commas; unknown: {', '.join(unknown)}")
    return ",".join(log for log in Log if log in names)


def whole_numbers(value: str, maximum: int, unit: str) -> list[int]:
    """Whole numbers from 1 to a maximum, separated by commas, in ascending order. Raises ValueError."""
    texts = [text.strip() for text in value.split(",")]
    numbers = [int(text) for text in texts if re.fullmatch("[0-9]{1,6}", text)]
    if not 1 <= len(numbers) == len(texts) <= MAX_NUMBERS or not all(1 <= number <= maximum for number in numbers):
        raise ValueError(
            f"must be 1 to {MAX_NUMBERS} whole numbers of {unit}, from 1 to {maximum}, separated by commas"
        )
    if len(set(numbers)) < len(numbers):
        raise ValueError("must name each number once")
    return sorted(numbers)


def _windows(value: str) -> str:
    return ",".join(str(hours) for hours in whole_numbers(value, MAX_WINDOW_HOURS, "hours"))


def _figure_rules(value: str) -> str:
    return ", ".join(str(rule) for rule in parse_rules(value))


def _alert_urls(value: SecretStr) -> SecretStr:
    # Importing Apprise takes half a second: only if the setting has a value.
    from apprise import Apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it logs the URLs that it cannot parse
    if not Apprise().add(value.get_secret_value()):
        raise ValueError("must be URLs that Apprise knows, such as json://host/path or slack://…; see docs/alerts.md")
    return value


def _smtp_url(value: SecretStr) -> SecretStr:
    parse_smtp_url(value.get_secret_value())
    return value


def _mail_address(value: str) -> str:
    # Only if the setting has a value: the package takes a while to import.
    from email.utils import parseaddr

    if not is_mail_address(parseaddr(value)[1]) or not value.isprintable():
        raise ValueError("must be an e-mail address, such as Sendmart <sendmart@example.com>")
    return value


def _token(token: SecretStr) -> SecretStr:
    if len(token.get_secret_value()) < MIN_TOKEN_CHARACTERS:
        raise ValueError(f"must have at least {MIN_TOKEN_CHARACTERS} characters")
    return token


def _ping_url(url: SecretStr) -> SecretStr:
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", url.get_secret_value()):
        raise ValueError("must be an address of the web, such as https://monitor.example.com/ping/name")
    return url


def _past_date(value: str | date) -> date:
    try:
        day = value if isinstance(value, date) else date.fromisoformat(value)
    except ValueError:
        day = None
    if day is None or day > datetime.now(UTC).date():
        raise ValueError("must be a date that is not in the future, such as 2024-01-31")
    return day


Folder = Annotated[Path, AfterValidator(_folder)]
WritableFolder = Annotated[Path, AfterValidator(_writable_folder)]
if TYPE_CHECKING:
    FolderOrPrefix = AnyPath
else:  # read from text; pydantic need not know the type of an object store's paths
    FolderOrPrefix = Annotated[str | Path, AfterValidator(_folder_or_prefix)]
"""A folder, or a prefix of an object store, `s3://bucket/prefix` (`warehouse.storage`)."""
File = Annotated[Path, AfterValidator(_file)]
MemoryLimit = Annotated[str, AfterValidator(_memory_limit)]
Umask = Annotated[str, _matching("0?0[0-7]7", "an octal mask that gives other users no access, such as 077 or 027")]
Currency = Annotated[str, _matching("[A-Za-z]{3}", "three ASCII letters, such as USD"), AfterValidator(str.upper)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
LogNames = Annotated[str, AfterValidator(_log_names)]
"""Names of logs, separated by commas; kept in the order of `Log`, each once."""
Windows = Annotated[str, AfterValidator(_windows)]
"""Conversion windows in hours, separated by commas; kept in ascending order."""
Seconds = Annotated[
    str, _matching(r"[0-9]{1,6}(\.[0-9]{1,6})?", "a number of seconds from 0 to 999999.999999, such as 2 or 1.5")
]
"""A decimal number. It stays text, because a floating-point number would not be exact."""
FigureRules = Annotated[str, AfterValidator(_figure_rules)]
PingUrl = Annotated[SecretStr, AfterValidator(_ping_url)]
AlertUrls = Annotated[SecretStr, AfterValidator(_alert_urls)]
SmtpUrl = Annotated[SecretStr, AfterValidator(_smtp_url)]
MailAddress = Annotated[str, AfterValidator(_mail_address)]
WebAddress = Annotated[
    str, _matching(r"https?://[^\s?#]+", "an address of the web, such as https://reports.example.com"),
    AfterValidator(lambda value: value.rstrip("/")),
]  # fmt: skip
TimeOfDay = Annotated[str, _matching(r"([01][0-9]|2[0-3]):[0-5][0-9]", "a 24-hour time of day, such as 03:30")]
HostAndPort = Annotated[str, _matching(r"[0-9A-Za-z.-]+:[0-9]{1,5}", "host:port, such as spark.example.org:10000")]
HostNames = Annotated[
    str, _matching(r"[0-9A-Za-z.-]+(,[0-9A-Za-z.-]+)*", "host names, separated by commas, such as reports.example.com")
]
Token = Annotated[SecretStr, AfterValidator(_token)]
Host = Annotated[str, _matching(r"[0-9A-Za-z.:-]+", "the name or address of a host, such as 127.0.0.1")]
SparkSchema = Annotated[
    str,
    _matching(r"[a-z][a-z0-9_]{0,62}", "at most 63 of a to z, 0 to 9 and _, a letter first, such as sendmart"),
]
PastDate = Annotated[date, BeforeValidator(_past_date)]
