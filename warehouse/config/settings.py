"""Every setting of Sendmart: from the environment and `.env`, validated once, before anything runs.

Nothing else in the project reads the environment. Relative paths are meant from the checkout's folder, so that a
setting means the same on the command line, in Dagster and in a nightly job, wherever each was started.

Not here: what a figure-altering setting does to a figure (`dbt_project/`).
"""

import difflib
import hashlib
import json
import logging
import os
import re
from datetime import UTC, date, datetime
from enum import StrEnum
from importlib.util import find_spec
from itertools import permutations
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from models.enums import ConversionRateDenominator, Log
from warehouse.storage import SCHEME, AnyPath, is_object, path_of

PROJECT = Path(__file__).resolve().parents[2]
PREFIX = "SENDMART_"
DOTENV = PROJECT / ".env"
DBT_PREFIX = "SENDMART_DBT_"
"""Variables by which a build tells dbt's profile where its files are (`warehouse.transform.dbt_runner`): no settings."""

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")

LEAST_MEMORY = 100_000_000
"""Bytes; with less, DuckDB cannot build even a small warehouse."""


class Engine(StrEnum):
    """What computes the models."""

    DUCKDB = "duckdb"
    SPARK = "spark"


class SettingsError(ValueError):
    """A setting makes no sense; the message has one line for each."""


def _from_project(path: Path) -> Path:
    folder = PROJECT / path.expanduser()
    # An address would be taken for a relative path, and a folder `s3:` made in the checkout.
    if _ADDRESS.match(str(path)) or (folder.exists() and not folder.is_dir()):
        raise ValueError("must be a folder")
    return folder


def _folder_or_prefix(value: str | Path) -> AnyPath:
    if str(value).startswith(SCHEME):
        return path_of(value)
    if _ADDRESS.match(str(value)):
        raise ValueError("must be a folder, or s3://bucket/prefix")
    return _from_project(Path(value))


def _writable(path: Path) -> Path:
    folder = path
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError("must be a folder that can be written")
    return path


def _enough_memory(value: str) -> str:
    number, unit, base = re.fullmatch(r"([0-9.]+) ?([KMGT])(i?)B", value).groups()
    if float(number) * (1024 if base else 1000) ** (" KMGT".index(unit)) < LEAST_MEMORY:
        raise ValueError(f"must be at least {LEAST_MEMORY // 1_000_000}MB")
    return value


def _file_from_project(path: Path) -> Path:
    file = PROJECT / path.expanduser()
    if _ADDRESS.match(str(path)) or file.is_dir():
        raise ValueError("must be a file")
    return file


def _umask(value: str) -> str:
    if not re.fullmatch(r"0?0[0-7][0-7]", value) or value[-1] != "7":
        raise ValueError("must be an octal mask that leaves other users nothing, such as 077 or 027")
    return value


def _currency(value: str) -> str:
    if len(value) != 3 or not (value.isascii() and value.isalpha()):
        raise ValueError("must be three ASCII letters, such as USD")
    return value.upper()


def _time_zone(value: str) -> str:
    if value not in available_timezones() - {"localtime", "Factory", "posixrules"}:
        raise ValueError("must be a time zone of the IANA database, such as Europe/Berlin")
    return value


def _log_names(value: str) -> str:
    names = [name.strip() for name in value.split(",")]
    if unknown := sorted(set(names) - set(Log)):
        raise ValueError(f"must be names of logs, separated by commas; {', '.join(unknown)} is none")
    return ",".join(log for log in Log if log in names)


def _alert_urls(value: SecretStr) -> SecretStr:
    # It takes half a second to import: only where there is something to look at.
    from apprise import Apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it would repeat what it does not understand
    if not Apprise().add(value.get_secret_value()):
        raise ValueError("must be URLs that Apprise knows, such as json://host/path or slack://…; see docs/alerts.md")
    return value


def _time_of_day(value: str) -> str:
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value):
        raise ValueError("must be a time of day of 24 hours, such as 03:30")
    return value


def _host_and_port(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not (re.fullmatch(r"[0-9A-Za-z.-]+", host) and re.fullmatch(r"[0-9]{1,5}", port)):
        raise ValueError("must be host:port, such as spark.example.org:10000")
    return value


def _date(value: str | date) -> date:
    try:
        day = value if isinstance(value, date) else date.fromisoformat(value)
    except ValueError:
        day = None
    if day is None or day > datetime.now(UTC).date():
        raise ValueError("must be a date that is not in the future, such as 2024-01-31")
    return day


NOT_FIGURE_RELEVANT = {
    "landing", "data", "lake", "published", "exports", "temp_directory", "hash_key_file", "umask",
    "alerts", "logs_due_hours", "daily_logs", "night_at", "exports_at", "first_log_date",
    "reports_host", "reports_port", "reports_show_numbers", "loaders",
    "spark_thrift", "spark_master", "spark_schema", "spark_export",
}  # fmt: skip
"""Where things are and when they happen: nothing that a figure depends on."""
_SECRET = {"alerts"}

Folder = Annotated[Path, AfterValidator(_from_project)]
FolderOrPrefix = Annotated[str | Path, AfterValidator(_folder_or_prefix)]
"""A folder, or a prefix of an object store, `s3://bucket/prefix` (`warehouse.storage.object_store`)."""


class Settings(BaseSettings):
    """The settings in force. Each field is the environment variable of its name in upper case, after `SENDMART_`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True, validate_default=True
    )

    landing: FolderOrPrefix = Field(
        Path("data/landing"), description="The landing zone: where the log files are dropped; may be s3://…"
    )
    data: Folder = Field(
        Path("data"), description="Where lake, quarantine, warehouse, published marts and exports live."
    )
    lake: FolderOrPrefix | None = Field(
        None, description="Where the lake lies; by default in the data folder; may be s3://…"
    )
    published: FolderOrPrefix | None = Field(
        None, description="Where published marts lie for those who read them; may be s3://…"
    )
    exports: FolderOrPrefix | None = Field(None, description="Where the CSV exports lie; may be s3://…")
    engine: Engine = Field(
        Engine.DUCKDB, description="What computes the marts: duckdb, or spark where one machine is outgrown."
    )
    spark_thrift: Annotated[str, AfterValidator(_host_and_port)] | None = Field(
        None,
        description="host:port of a Spark cluster's Thrift server; without it Spark runs in the refresh's own process.",
    )
    spark_master: str | None = Field(
        None, description="The master of a Spark in the refresh's own process; by default local, with so many threads."
    )
    spark_schema: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")] = Field(
        "marts", description="The schema in Spark's catalogue in which the published marts are found."
    )
    spark_export: bool = Field(
        True,
        description="Whether the rows of a build on Spark are written into the published DuckDB file; else it has views"
        " on Spark's Parquet.",
    )
    reporting_currency: Annotated[str, AfterValidator(_currency)] = Field(
        "USD", description="The currency of every revenue figure."
    )
    conversion_window_hours: int = Field(
        120, ge=1, le=87_600, description="How many hours after a click an order still counts as led to by it."
    )
    conversion_rate_denominator: ConversionRateDenominator = Field(
        ConversionRateDenominator.UNIQUE_CLICKERS, description="What direct orders are divided by: the conversion rate."
    )
    hard_bounce_suppression: bool = Field(True, description="Whether numbers are suppressed after hard bounces.")
    hard_bounces_to_suppress: int = Field(
        3, ge=1, le=1_000, description="How many consecutive hard bounces suppress a number."
    )
    max_rejected_share: float = Field(
        0.01,
        ge=0,
        le=1,
        description="The share of a log-day's rows in quarantine above which publication is held back.",
    )
    min_rejected_rows: int = Field(
        10, ge=0, description="With fewer rows of a log-day in quarantine than this, publication is not held back."
    )
    kept_builds: int = Field(
        7, ge=1, le=1_000, description="How many published builds are kept to go back to, the current one included."
    )
    export_retention_days: int = Field(30, ge=1, le=36_500, description="How many days exports are kept.")
    export_csv_mode: Literal["spreadsheet", "raw"] = Field(
        "spreadsheet",
        description="spreadsheet: no text cell can be taken for a formula, text is quoted; raw: values as they are.",
    )
    report_timezone: Annotated[str, AfterValidator(_time_zone)] = Field(
        "UTC", description="The zone of days in reports and of the schedules' clock; stored timestamps stay UTC."
    )
    night_at: Annotated[str, AfterValidator(_time_of_day)] = Field(
        "03:30", description="When the nightly refresh starts, in the report's time zone."
    )
    exports_at: Annotated[str, AfterValidator(_time_of_day)] = Field(
        "06:00",
        description="When exports that are missing are written, and old ones pruned, in the report's time zone.",
    )
    first_log_date: Annotated[date, BeforeValidator(_date)] = Field(
        date(2020, 1, 1),
        description="Where the log dates begin in Dagster; files of earlier ones are loaded all the same.",
    )
    memory_limit: Annotated[
        str, Field(pattern=r"^[1-9][0-9]*(\.[0-9]+)? ?[KMGT]i?B$"), AfterValidator(_enough_memory)
    ] = Field(
        "2500MB",
        description="The most memory DuckDB may use in a build.",
    )
    mask_numbers: bool = Field(
        False, description="Whether numbers are published masked, with a keyed hash of each beside it."
    )
    hash_key_file: Annotated[Path, AfterValidator(_file_from_project)] | None = Field(
        None, description="The key of the keyed hashes; by default a file of the data folder."
    )
    umask: Annotated[str, AfterValidator(_umask)] = Field(
        "077", description="Which permissions written files lack: 077 keeps them to the user, 027 lets the group read."
    )
    logs_due_hours: int = Field(
        3, ge=0, le=240, description="How many hours after the end of its day, in UTC, a log file may still come."
    )
    daily_logs: Annotated[str, AfterValidator(_log_names)] = Field(
        ",".join(Log), description="The logs that come every day: a day of them that is not there is late."
    )
    alerts: Annotated[SecretStr, AfterValidator(_alert_urls)] | None = Field(
        None, description="URLs, for Apprise, of whoever is told of failures, recoveries and late logs; a secret."
    )
    threads: int = Field(
        default_factory=lambda: os.cpu_count() or 1, ge=1, le=256, description="How many threads a build uses."
    )
    loaders: int = Field(
        1,
        ge=1,
        le=64,
        description="How many processes read and judge log files at once where there are many; each needs up to 1 GB.",
    )
    temp_directory: Annotated[Folder, AfterValidator(_writable)] | None = Field(
        None, description="Where DuckDB spills what exceeds its memory; by default a folder of the data folder."
    )
    reports_host: Annotated[str, Field(pattern=r"^[0-9A-Za-z.:-]+$")] = Field(
        "127.0.0.1",
        description="The address at which the report pages listen; anything but loopback needs a login in front.",
    )
    reports_port: int = Field(8501, ge=1, le=65_535, description="The port of the report pages.")
    reports_show_numbers: bool = Field(
        False, description="Whether the report pages and what is fetched from them show phone numbers in whole."
    )

    @model_validator(mode="after")
    def _each_prefix_for_itself(self) -> Self:
        prefixes = [
            path for path in (self.landing, self.lake, self.published, self.exports) if path and is_object(path)
        ]
        for one, other in permutations(prefixes, 2):
            if one.is_relative_to(other):
                raise ValueError(f"landing zone, lake, published marts and exports: {one} must not be in {other}")
        return self

    @model_validator(mode="after")
    def _readable_by_spark(self) -> Self:
        if self.engine != Engine.SPARK:
            return self
        if find_spec("dbt.adapters.spark") is None:
            raise ValueError("SENDMART_ENGINE: spark is not installed here: make install-spark")
        if self.lake and is_object(self.lake):
            raise ValueError("SENDMART_LAKE: Spark reads the lake from a folder that its workers share, not from s3://")
        if self.mask_numbers and not self.spark_export:
            raise ValueError(
                "SENDMART_SPARK_EXPORT: must be true where numbers are masked: the export is what masks them"
            )
        return self

    @property
    def time_zone(self) -> ZoneInfo:
        return ZoneInfo(self.report_timezone)

    @property
    def logs_expected_daily(self) -> list[Log]:
        return [Log(name) for name in self.daily_logs.split(",")]

    @property
    def scratch(self) -> Path:
        """Where DuckDB spills to: of each data folder its own, for the names of its files are always the same."""
        if self.temp_directory is None:
            return self.data / "warehouse" / "scratch"
        return self.temp_directory / f"sendmart-{hashlib.sha256(str(self.data).encode()).hexdigest()[:12]}"

    def figure_settings(self) -> dict[str, Any]:
        """The settings that change what a figure is, by their names as dbt variables."""
        return {
            "reporting_currency": self.reporting_currency,
            "conversion_window_hours": self.conversion_window_hours,
            "conversion_rate_denominator": str(self.conversion_rate_denominator),
            "hard_bounce_suppression": self.hard_bounce_suppression,
            "hard_bounces_to_suppress": self.hard_bounces_to_suppress,
        }

    def as_json(self) -> str:
        """All settings, for `build_info`, but for those that say nothing about the figures."""
        return json.dumps(self.model_dump(mode="json", exclude=NOT_FIGURE_RELEVANT), sort_keys=True)


def load_settings() -> Settings:
    """The settings of this process.

    Raises:
        SettingsError: with one line for every setting that makes no sense, and for every unknown `SENDMART_` variable.
    """
    try:
        given = {*os.environ, *dotenv_values(DOTENV)}
    except UnicodeDecodeError as error:
        raise SettingsError(f"{DOTENV.name}: must be UTF-8") from error
    problems = [_unknown(name) for name in sorted(given) if name.startswith(PREFIX) and not _is_known(name)]
    try:
        settings = Settings(_env_file=DOTENV)
    except ValidationError as error:
        problems += [
            _complaint(str(fault["loc"][0]), fault["msg"], fault["input"]) if fault["loc"] else _words(fault["msg"])
            for fault in error.errors()
        ]
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def is_set(name: str) -> bool:
    """Whether a setting was given, rather than left at its default."""
    return name in Settings(_env_file=DOTENV).model_fields_set


def _is_known(name: str) -> bool:
    return name.startswith(DBT_PREFIX) or name.removeprefix(PREFIX).lower() in Settings.model_fields


def _unknown(name: str) -> str:
    known = [PREFIX + field.upper() for field in Settings.model_fields]
    close = difflib.get_close_matches(name, known, n=1)
    return f"{name}: no such setting" + (f"; did you mean {close[0]}?" if close else "")


def _complaint(field: str, message: str, given: Any) -> str:
    words = f"{PREFIX}{field.upper()}: {_words(message)}"
    return words if field in _SECRET else f"{words} (is {given!r})"


def _words(message: str) -> str:
    return message.removeprefix("Value error, ").removeprefix("Input ").replace("should", "must")
