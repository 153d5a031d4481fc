"""Every setting of Sendmart: read from the environment and `.env`, and validated before anything runs. Nothing else reads
them. `docs/settings.md` and `.env.example` are generated from this module (`scripts/settings_docs.py`).

Not here: what a value may be (`warehouse.config.setting_types`), what a setting does to a figure (`dbt_project/`).
"""

import difflib
import hashlib
import json
import os
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from functools import cache
from importlib.util import find_spec
from itertools import permutations
from pathlib import Path
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.enums import BotClicks, ConversionRateDenominator, Log
from models.masking import masking_logger
from warehouse.config import setting_types as types
from warehouse.config.setting_types import PROJECT as PROJECT
from warehouse.storage import is_object

PREFIX = "SENDMART_"
DOTENV = PROJECT / ".env"
DBT_PREFIX = "SENDMART_DBT_"
"""Variables that a build sets for dbt's profile (`warehouse.transform.dbt_runner`). They are not settings."""

RENAMED_SETTINGS = {
    "SENDMART_NIGHT_AT": "SENDMART_REFRESH_TIME",
    "SENDMART_EXPORTS_AT": "SENDMART_EXPORT_TIME",
    "SENDMART_LOADERS": "SENDMART_LOAD_WORKERS",
    "SENDMART_KEPT_BUILDS": "SENDMART_BUILD_RETENTION",
    "SENDMART_MASK_NUMBERS": "SENDMART_MASK_PHONE_NUMBERS",
    "SENDMART_REPORTS_SHOW_NUMBERS": "SENDMART_REPORTS_SHOW_PHONE_NUMBERS",
    "SENDMART_LOGS_DUE_HOURS": "SENDMART_LOG_GRACE_HOURS",
}
"""Old name to new name. Release 0.3.0 reads the old names and warns; release 0.4.0 will not read them."""

NOT_FIGURE_RELEVANT = {
    "landing", "follow_links", "sources", "data", "lake", "published", "exports", "temp_directory", "hash_key_file", "umask",
    "alerts", "ping_url", "figure_alerts", "log_grace_hours", "daily_logs", "refresh_time", "export_time", "first_log_date",
    "report_subscriptions", "smtp_url", "smtp_password_file", "smtp_from", "reports_url",
    "reports_host", "reports_port", "reports_behind_login", "reports_token", "reports_allowed_hosts",
    "reports_show_phone_numbers", "load_workers",
    "spark_thrift", "spark_master", "spark_schema", "spark_export",
}  # fmt: skip
"""Paths, times, addresses: settings that no figure depends on. `build_info` does not record them."""
SECRETS = ("alerts", "ping_url", "smtp_url", "reports_token")
"""Settings whose value is never printed. Each may stand in a file that a variable with the ending `_FILE` names."""

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Engine(StrEnum):
    """What builds the marts."""

    DUCKDB = "duckdb"
    SPARK = "spark"


class SettingsError(ValueError):
    """Settings are invalid; the message has one line for each."""


class Settings(BaseModel):
    """The settings in force. The environment variable of a field is `SENDMART_` and its name in upper case."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    landing: types.FolderOrPrefix = Path("data/landing")
    """Landing zone: the folder where log files arrive, or s3://bucket/prefix (docs/object-stores.md). Sendmart writes
    nothing there but sample logs."""
    follow_links: bool = False
    """Load log files through symbolic links that lead out of the landing zone."""
    sources: types.Folder | None = None
    """Folder of your own mappings of other systems' exports (docs/sources/README.md). One with the name of a shipped mapping
    replaces it."""
    data: types.Folder = Path("data")
    """Data folder: lake, quarantine, candidate, published marts and exports. Always a folder on a disk."""
    lake: types.FolderOrPrefix | None = None
    """Folder of the lake, or s3://bucket/prefix. Default: in the data folder."""
    published: types.FolderOrPrefix | None = None
    """Folder of the published marts, or s3://bucket/prefix. Default: in the data folder."""
    exports: types.FolderOrPrefix | None = None
    """Folder of the exports, or s3://bucket/prefix. Default: in the data folder."""
    temp_directory: types.WritableFolder | None = None
    """DuckDB's spill directory. Default: in the data folder."""
    umask: types.Umask = "077"
    """Permissions that written files lack. 077: the owner alone reads them; 027: the group, too."""

    reporting_currency: types.Currency = "USD"
    """Currency of all revenue and cost figures."""
    conversion_window_hours: int = Field(120, ge=1, le=types.MAX_WINDOW_HOURS)
    """Attribution window, in hours: an order that follows a click within it is credited to the campaign."""
    conversion_rate_denominator: ConversionRateDenominator = ConversionRateDenominator.UNIQUE_CLICKERS
    """Denominator of the conversion rate: unique_clickers, total_delivered or total_sent."""
    hard_bounce_suppression: bool = True
    """Suppress a number after consecutive hard bounces."""
    hard_bounces_to_suppress: int = Field(3, ge=1, le=types.MAX_HARD_BOUNCES)
    """Number of consecutive hard bounces that suppress a number."""
    report_timezone: types.TimeZone = "UTC"
    """Time zone of days in reports and of the schedules. Stored timestamps are in UTC."""

    insights: bool = True
    """Build and publish the insights, the marts of the schema insights."""
    bot_clicks: BotClicks = BotClicks.COUNT
    """count: clicks of bots count in all figures. exclude: clicks of bots count only in click_quality and
    campaign_click_quality; this needs SENDMART_INSIGHTS."""
    bot_click_seconds: types.Seconds = "2"
    """A click sooner than this many seconds after its message is a bot's. 0: only clicks before their message. A decimal
    number, at most 999999.999999."""
    attribution_half_life_hours: int = Field(168, ge=1, le=types.MAX_WINDOW_HOURS)
    """Hours before the last click in which the weight of a click halves, in the attribution model time_decay. Whole hours,
    1 to 87600."""
    what_if_windows: types.Windows = "24,72,120,168,720"
    """Conversion windows to compare in the insights, separated by commas: up to 20, each of 1 to 87600 whole hours. The one
    in force is always there."""
    max_rate_age_days: int = Field(7, ge=0, le=36_500)
    """A check warns where an amount was converted by an exchange rate more than this many days older than the amount. Only
    amounts of the last 30 days before the latest rate are checked."""

    daily_logs: types.LogNames = ",".join(Log)
    """Logs that arrive every day, separated by commas. A missing day of these is late."""
    log_grace_hours: int = Field(3, ge=0, le=240)
    """Hours after the end of its day, in UTC, after which a missing log file is late."""
    first_log_date: types.PastDate = date(2020, 1, 1)
    """First log date that Dagster shows. Files of earlier dates are loaded, too."""
    load_workers: int | None = Field(None, ge=1, le=64)
    """Largest number of log files that are read at once (docs/operating.md). Each needs up to 1 GB. Default: one for each core,
    as far as 1 GB of memory is free for each."""

    engine: Engine = Engine.DUCKDB
    """Engine that builds the marts: duckdb, or spark (docs/scaling.md)."""
    memory_limit: types.MemoryLimit = "2500MB"
    """DuckDB's memory limit. The rest of the process needs about 1 GB more."""
    threads: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=256)
    """Threads of a build. Default: all cores."""
    spark_thrift: types.HostAndPort | None = None
    """host:port of a Spark cluster's Thrift server. Default: Spark runs in the process of the refresh."""
    spark_master: str | None = None
    """Master of a Spark session in the process of the refresh. Default: local, with SENDMART_THREADS."""
    spark_schema: types.SparkSchema = "marts"
    """Schema of the published marts in Spark's catalogue."""
    spark_export: bool = True
    """Write the rows of a Spark build to the published DuckDB file. false: the file has views of Spark's Parquet
    files."""

    max_rejected_share: float = Field(0.01, ge=0, le=1)
    """Largest share of rejected rows, and of rows with key conflicts, in a log-day. A larger share holds the build back.
    1: rejected and conflicting rows never do."""
    min_rejected_rows: int = Field(10, ge=0)
    """Fewer rejected or conflicting rows in a log-day than this hold no build back, unless more than half of its rows are
    rejected, or every row of a file."""
    build_retention: int = Field(7, ge=1, le=1_000)
    """Number of published builds to keep for rollback, the current one included."""
    mask_phone_numbers: bool = False
    """Publish phone numbers masked, each with a keyed hash (docs/privacy.md)."""
    hash_key_file: types.File | None = None
    """Key of the keyed hashes. Default: a file in the data folder. Back it up, apart from the data."""
    export_retention_days: int = Field(30, ge=1, le=36_500)
    """Days to keep exports."""
    export_csv_mode: Literal["spreadsheet", "raw"] = "spreadsheet"
    """spreadsheet: for people, with the words and the time zone of the reports, and no text that can be read as a formula.
    raw: for programs, with names of columns, times in UTC and values unchanged."""

    refresh_time: types.TimeOfDay = "03:30"
    """Start of the nightly refresh, in SENDMART_REPORT_TIMEZONE."""
    export_time: types.TimeOfDay = "06:00"
    """Start of the daily export job, in SENDMART_REPORT_TIMEZONE. It writes missing exports and prunes old ones."""
    alerts: types.AlertUrls | None = None
    """Receivers of alerts: URLs of Slack, e-mail or webhooks (docs/alerts.md). A secret."""
    ping_url: types.PingUrl | None = None
    """Address that is requested after each refresh that published or found nothing new, so that a monitor notices when refreshes
    stop (docs/alerts.md). A secret."""

    figure_alerts: types.FigureRules | None = None
    """Rules on the figures of a day that raise an alert, separated by commas: delivery_rate<0.9, unsubscribes_per_1000>5,
    cost>400, messages<1, or a figure and unusual (docs/alerts.md). They need SENDMART_INSIGHTS."""

    report_subscriptions: types.File | None = None
    """TOML file that says who gets which report by e-mail, and how often (docs/report-mail.md). Default: nobody."""
    smtp_url: types.SmtpUrl | None = None
    """Mail server: smtps://user:password@host:465 (TLS), smtp://user:password@host:587 (STARTTLS), or smtp://host:25?tls=no
    (no encryption). A secret."""
    smtp_password_file: types.File | None = None
    """File with the password of the mail server, instead of a password in SENDMART_SMTP_URL."""
    smtp_from: types.MailAddress | None = None
    """Sender of the e-mails, such as Sendmart <sendmart@example.com>."""

    reports_host: types.Host = "127.0.0.1"
    """Address of the report pages. Any other than loopback needs a login in front, or a token (docs/reports.md)."""
    reports_port: int = Field(8501, ge=1, le=65_535)
    """Port of the report pages."""
    reports_behind_login: bool = False
    """A web server with a login is in front of the report pages, and only it reaches their address."""
    reports_token: types.Token | None = None
    """Password of the report pages, for any user name; at least 16 characters. A secret."""
    reports_allowed_hosts: types.HostNames | None = None
    """Host names under which browsers and proxies reach the report pages, separated by commas. Loopback names and
    SENDMART_REPORTS_HOST are always allowed."""
    reports_url: types.WebAddress | None = None
    """Address of the report pages for their readers, such as https://reports.example.com: for links in e-mails."""
    reports_show_phone_numbers: bool = False
    """Show whole phone numbers on the report pages and in their downloads."""

    @model_validator(mode="after")
    def _prefixes_do_not_overlap(self) -> Self:
        paths = (self.landing, self.lake, self.published, self.exports)
        prefixes = [path for path in paths if path and is_object(path)]
        for inner, outer in permutations(prefixes, 2):
            if inner.is_relative_to(outer):
                raise ValueError(f"landing zone, lake, published marts and exports: {inner} must not be in {outer}")
        return self

    @model_validator(mode="after")
    def _bots_can_be_found(self) -> Self:
        if self.bot_clicks == BotClicks.EXCLUDE and not self.insights:
            raise ValueError(
                "SENDMART_BOT_CLICKS: must be count if SENDMART_INSIGHTS is false: the insights find the clicks of bots"
            )
        return self

    @model_validator(mode="after")
    def _figures_of_days_are_there(self) -> Self:
        if self.figure_alerts is not None and not self.insights:
            raise ValueError("SENDMART_FIGURE_ALERTS: needs SENDMART_INSIGHTS=true, which has the figures of days")
        return self

    @model_validator(mode="after")
    def _reports_can_be_mailed(self) -> Self:
        missing = [name for name in ("smtp_url", "smtp_from") if getattr(self, name) is None]
        if self.report_subscriptions is not None and missing:
            raise ValueError(f"{_variable(missing[0])}: must be set if SENDMART_REPORT_SUBSCRIPTIONS is")
        return self

    @model_validator(mode="after")
    def _spark_can_run(self) -> Self:
        if self.engine != Engine.SPARK:
            return self
        if find_spec("dbt.adapters.spark") is None:
            raise ValueError("SENDMART_ENGINE: Spark is not installed; run make install-spark")
        if self.lake and is_object(self.lake):
            raise ValueError("SENDMART_LAKE: Spark reads the lake from a folder that its workers share, not from s3://")
        if self.mask_phone_numbers and not self.spark_export:
            raise ValueError("SENDMART_SPARK_EXPORT: must be true if SENDMART_MASK_PHONE_NUMBERS is: it masks them")
        return self

    @property
    def time_zone(self) -> ZoneInfo:
        return ZoneInfo(self.report_timezone)

    @property
    def reports_host_names(self) -> list[str]:
        """The host names to which the report pages answer."""
        allowed = self.reports_allowed_hosts.split(",") if self.reports_allowed_hosts else []
        return [*LOOPBACK, "[::1]", self.reports_host, *allowed]

    @property
    def logs_expected_daily(self) -> list[Log]:
        return [Log(name) for name in self.daily_logs.split(",")]

    @property
    def scratch(self) -> Path:
        """DuckDB's spill directory. Each data folder has its own, because DuckDB always uses the same file names."""
        if self.temp_directory is None:
            return self.data / "warehouse" / "scratch"
        return self.temp_directory / f"sendmart-{hashlib.sha256(str(self.data).encode()).hexdigest()[:12]}"

    def figure_settings(self) -> dict[str, Any]:
        """The settings that change figures, as dbt variables. They enter the fingerprint of a build."""
        windows = [int(hours) for hours in self.what_if_windows.split(",")]
        return self.recorded_figure_settings() | ({"what_if_windows": windows} if self.insights else {})

    def recorded_figure_settings(self) -> dict[str, Any]:
        """The same as `build_info` records them; those of the insights only where these are built."""
        names = {
            "reporting_currency", "conversion_window_hours", "conversion_rate_denominator", "hard_bounce_suppression",
            "hard_bounces_to_suppress", "insights", "max_rate_age_days", "bot_clicks",
        }  # fmt: skip
        if self.insights:
            names |= {
                "bot_click_seconds", "attribution_half_life_hours", "report_timezone", "what_if_windows",
            }  # fmt: skip
        return self.model_dump(mode="json", include=names)

    def as_json(self) -> str:
        """All settings but `NOT_FIGURE_RELEVANT`, for `build_info`."""
        return json.dumps(self.model_dump(mode="json", exclude=NOT_FIGURE_RELEVANT), sort_keys=True)


def load_settings(**overrides: str) -> Settings:
    """Reads and validates the settings, with `overrides` by name in lower case. Warns once a process about old names.

    Raises SettingsError: one line for each invalid setting and each unknown `SENDMART_` variable.
    """
    try:
        sources = dotenv_values(DOTENV), os.environ
    except UnicodeDecodeError as error:
        raise SettingsError(f"{DOTENV.name}: must be UTF-8") from error
    names = sorted({name for source in sources for name in source if name.startswith(PREFIX)})
    problems = [_unknown(name) for name in names if not _is_known(name)]
    # The environment comes last: it wins. An empty value is the default. Case does not count.
    values = {name.upper(): value for source in sources for name, value in source.items() if value}
    old_names = {new: old for old, new in RENAMED_SETTINGS.items() if old in values}
    both = [new for new in old_names if new in values]
    for new in both:
        problems.append(f"{old_names[new]}: is the old name of {new}, and both are set. Remove {old_names[new]}")
    if old_names and not both:
        _warn("; ".join(f"{old} is now {new}" for new, old in old_names.items()))
    named: dict[str, Any] = {
        field: values[name] for field in Settings.model_fields if (name := _variable(field)) in values
    }
    in_files, unreadable = _secrets_in_files(values)
    problems += unreadable
    renamed = {_field(new): values[old] for new, old in old_names.items()}
    try:
        settings = Settings(**{**named, **in_files, **renamed, **overrides})
    except ValidationError as error:
        problems += [_complaint(problem, old_names) for problem in error.errors()]
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def _secrets_in_files(values: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The secrets that stand in files, by field, and a line for each that cannot be read from its file."""
    secrets, problems = {}, []
    for field in SECRETS:
        variable, file_variable = _variable(field), _secret_file(field)
        if file_variable not in values:
            continue
        if variable in values:
            problems.append(f"{file_variable}: {variable} is set, too. Remove one of them")
            continue
        path = PROJECT / values[file_variable]
        try:
            secret = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
            problems.append(f"{file_variable}: {path} cannot be read ({reason})")
            continue
        if secret:
            secrets[field] = secret
        else:
            problems.append(f"{file_variable}: {path} is empty")
    return secrets, problems


def _secret_file(field: str) -> str:
    return f"{_variable(field)}_FILE"


@cache
def _warn(renamed: str) -> None:
    masking_logger("sendmart").warning("Renamed settings: %s. Release 0.4.0 will not read the old names.", renamed)


def _field(variable: str) -> str:
    return variable.removeprefix(PREFIX).lower()


def _variable(field: str) -> str:
    return PREFIX + field.upper()


def _is_known(variable: str) -> bool:
    return (
        variable.startswith(DBT_PREFIX)
        or variable in RENAMED_SETTINGS
        or _field(variable) in Settings.model_fields
        or variable in map(_secret_file, SECRETS)
    )


def _unknown(variable: str) -> str:
    # Without the prefix, which makes any two names similar.
    similar = difflib.get_close_matches(_field(variable), Settings.model_fields, n=1, cutoff=0.75)
    return f"{variable}: no such setting" + (f"; did you mean {_variable(similar[0])}?" if similar else "")


def _complaint(problem: Mapping[str, Any], old_names: Mapping[str, str]) -> str:
    """One line about an invalid setting, under the name that the operator typed."""
    message = str(problem["msg"]).removeprefix("Value error, ").removeprefix("Input ").replace("should", "must")
    message = message.replace("a valid boolean, unable to interpret input", "true or false")
    if not problem["loc"]:
        return message
    field = str(problem["loc"][0])
    variable = _variable(field)
    line = f"{old_names.get(variable, variable)}: {message}"
    return line if field in SECRETS else f"{line} (is {problem['input']!r})"
