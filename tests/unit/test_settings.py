"""Settings: defaults, sources, renamed settings, and one line of complaint for each invalid one."""

import json
import re
from datetime import date
from pathlib import Path

import pytest
import yaml

from warehouse.config import settings as settings_module
from warehouse.config.paths import DataPaths
from warehouse.config.settings import PROJECT, RENAMED_SETTINGS, SECRETS, SettingsError, load_settings

DEFAULTS = {
    "landing": PROJECT / "data" / "landing",
    "data": PROJECT / "data",
    "reporting_currency": "USD",
    "conversion_window_hours": 120,
    "conversion_rate_denominator": "unique_clickers",
    "hard_bounce_suppression": True,
    "hard_bounces_to_suppress": 3,
    "max_rejected_share": 0.01,
    "min_rejected_rows": 10,
    "export_retention_days": 30,
    "export_csv_mode": "spreadsheet",
    "report_timezone": "UTC",
    "log_grace_hours": 3,
    "daily_logs": "campaigns,sends,receipts,clicks,orders,unsubscribes,exchange_rates",
    "refresh_time": "03:30",
    "export_time": "06:00",
    "first_log_date": date(2020, 1, 1),
}

pytestmark = pytest.mark.usefixtures("bare_environment")


def is_set(name: str) -> bool:
    return name in load_settings().model_fields_set


def problems() -> list[str]:
    with pytest.raises(SettingsError) as error:
        load_settings()
    return str(error.value).splitlines()


def test_the_defaults_do_not_change_unnoticed():
    settings = load_settings()
    assert {name: getattr(settings, name) for name in DEFAULTS} == DEFAULTS


@pytest.mark.parametrize("name", DEFAULTS)
@pytest.mark.parametrize("source", ["environment", "dotenv"])
def test_an_empty_value_is_the_default(bare_environment, monkeypatch, name, source):
    if source == "environment":
        monkeypatch.setenv(f"SENDMART_{name.upper()}", "")
    else:
        bare_environment.write_text(f"SENDMART_{name.upper()}=\n")
    assert getattr(load_settings(), name) == DEFAULTS[name]
    assert not is_set(name)


VALID = [
    ("REPORTING_CURRENCY", "eur", "EUR"),
    ("CONVERSION_WINDOW_HOURS", "1", 1),
    ("CONVERSION_WINDOW_HOURS", "720", 720),
    *(("CONVERSION_RATE_DENOMINATOR", word, word) for word in ("unique_clickers", "total_delivered", "total_sent")),
    ("HARD_BOUNCE_SUPPRESSION", "false", False),
    ("HARD_BOUNCE_SUPPRESSION", "true", True),
    ("HARD_BOUNCES_TO_SUPPRESS", "1", 1),
    ("MAX_REJECTED_SHARE", "0", 0),
    ("MAX_REJECTED_SHARE", "1", 1),
    ("MAX_REJECTED_SHARE", "0.5", 0.5),
    ("MIN_REJECTED_ROWS", "0", 0),
    ("EXPORT_RETENTION_DAYS", "365", 365),
    ("EXPORT_CSV_MODE", "raw", "raw"),
    ("REPORT_TIMEZONE", "Europe/Berlin", "Europe/Berlin"),
    ("LOG_GRACE_HOURS", "0", 0),
    ("DAILY_LOGS", "sends", "sends"),
    ("DAILY_LOGS", " receipts, sends,sends", "sends,receipts"),
    ("REFRESH_TIME", "00:00", "00:00"),
    ("EXPORT_TIME", "23:59", "23:59"),
    ("FIRST_LOG_DATE", "2025-12-31", date(2025, 12, 31)),
    ("LANDING", "/somewhere/else", Path("/somewhere/else")),
    ("DATA", "elsewhere", PROJECT / "elsewhere"),
    ("DATA", "~/sendmart", Path.home() / "sendmart"),
]


@pytest.mark.parametrize(("name", "value", "expected"), VALID)
def test_a_valid_value_is_read(monkeypatch, name, value, expected):
    monkeypatch.setenv(f"SENDMART_{name}", value)
    assert getattr(load_settings(), name.lower()) == expected
    assert is_set(name.lower())


INVALID = [
    *(("LOG_GRACE_HOURS", value) for value in ("-1", "241", "3h")),
    *(("DAILY_LOGS", value) for value in ("send", "sends receipts", "sends,")),
    *(("REPORTING_CURRENCY", value) for value in ("US", "USDT", "U$D", "840", "ÜSD", "U D")),
    *(("CONVERSION_WINDOW_HOURS", value) for value in ("0", "-1", "five days", "1.5", "1e3", "12h", "99999999999")),
    *(("CONVERSION_RATE_DENOMINATOR", value) for value in ("clicks", "UNIQUE CLICKERS", "total_send")),
    *(("HARD_BOUNCE_SUPPRESSION", value) for value in ("maybe", "2", "-")),
    *(("HARD_BOUNCES_TO_SUPPRESS", value) for value in ("0", "-3", "three", "2.5")),
    *(("MAX_REJECTED_SHARE", value) for value in ("-0.01", "1.01", "1 %", "1%", "nan", "inf", "a few")),
    *(("MIN_REJECTED_ROWS", value) for value in ("-1", "ten", "0.5")),
    *(("EXPORT_RETENTION_DAYS", value) for value in ("0", "-30", "a month", "1.5")),
    *(("EXPORT_CSV_MODE", value) for value in ("excel", "Raw mode")),
    *(("REPORT_TIMEZONE", value) for value in ("Mars/Olympus", "Berlin", "+02:00", "../../etc/passwd")),
    *(("INSIGHTS", value) for value in ("maybe", "2")),
    *(("BOT_CLICKS", value) for value in ("EXCLUDE", "drop", "true")),
    *(("BOT_CLICK_SECONDS", value) for value in ("-1", "two", "1e3", ".5", "2.", "1,5", "1000000", "0.0000001", "nan")),
    *(("ATTRIBUTION_HALF_LIFE_HOURS", value) for value in ("0", "-1", "1.5", "a week", "87601")),
    *(
        ("WHAT_IF_WINDOWS", value)
        for value in ("0", "24,", "24;72", "24,024", "1.5", "87601", "-24", "³", *[",".join(map(str, range(1, 22)))])
    ),
    *(("MAX_RATE_AGE_DAYS", value) for value in ("-1", "a week", "0.5")),
    *(("REFRESH_TIME", value) for value in ("3:30", "24:00", "03:60", "3 am", "03:30:00", "30 3 * * *")),
    *(("EXPORT_TIME", value) for value in ("6", "06.00")),
    *(("FIRST_LOG_DATE", value) for value in ("2025-02-30", "yesterday", "9999-01-01", "31.12.2025")),
    *(("MEMORY_LIMIT", value) for value in ("lots", "2500", "-1GB", "1GB'; drop table x")),
    *((name, "s3://bucket/prefix") for name in ("DATA", "TEMP_DIRECTORY", "HASH_KEY_FILE")),
    *((name, value) for name in ("LANDING", "LAKE") for value in ("s3:/bucket", "S3://bucket/prefix", "gs://bucket")),
    *(("THREADS", value) for value in ("0", "-1", "many")),
    *(("ENGINE", value) for value in ("Spark!", "duckdb,spark", "postgres")),
    *(
        ("SPARK_THRIFT", value)
        for value in ("spark.example.org", "spark.example.org:", ":10000", "jdbc:hive2://spark:10000")
    ),
    ("REPORTS_HOST", "a host"),
    *(("SPARK_SCHEMA", value) for value in ("Marts", "marts; drop schema x", "1st")),
]


@pytest.mark.parametrize(("name", "value"), INVALID)
@pytest.mark.parametrize("source", ["environment", "dotenv"])
def test_an_invalid_value_is_one_line_with_setting_and_value(bare_environment, monkeypatch, name, value, source):
    if source == "environment":
        monkeypatch.setenv(f"SENDMART_{name}", value)
    else:
        bare_environment.write_text(
            f"SENDMART_{name}={value!r}\n" if "'" not in value else f'SENDMART_{name}="{value}"\n'
        )
    (line,) = problems()
    assert line.startswith(f"SENDMART_{name}: ")
    assert value in line
    assert not re.search(r"\^|\[[^]]*-|\{\d|pattern", line.replace(value, "")), "no regular expression is shown"


def test_a_value_that_is_no_boolean_is_told_what_it_must_be(monkeypatch):
    monkeypatch.setenv("SENDMART_INSIGHTS", "maybe")
    assert problems() == ["SENDMART_INSIGHTS: must be true or false (is 'maybe')"]


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("source", ["environment", "dotenv"])
def test_a_secret_may_stand_in_a_file(bare_environment, monkeypatch, tmp_path, name, source):
    value = {"smtp_url": "smtp://host:25?tls=no", "alerts": "json://host/path"}.get(
        name, "https://example.com/of-a-secret"
    )
    variable, file = f"SENDMART_{name.upper()}_FILE", tmp_path / "secret"
    file.write_text(f"{value}\n")
    if source == "environment":
        monkeypatch.setenv(variable, str(file))
    else:
        bare_environment.write_text(f"{variable}={file}\n")
    assert getattr(load_settings(), name).get_secret_value() == value
    monkeypatch.setenv(f"SENDMART_{name.upper()}", value)
    assert problems() == [f"{variable}: SENDMART_{name.upper()} is set, too. Remove one of them"]


def test_a_file_of_a_secret_that_cannot_be_read_is_one_line(monkeypatch, tmp_path):
    file = tmp_path / "secret"
    monkeypatch.setenv("SENDMART_REPORTS_TOKEN_FILE", str(file))
    assert problems() == [f"SENDMART_REPORTS_TOKEN_FILE: {file} cannot be read (No such file or directory)"]
    file.write_text(" \n")
    assert problems() == [f"SENDMART_REPORTS_TOKEN_FILE: {file} is empty"]
    file.write_bytes(b"\xff")
    assert problems() == [f"SENDMART_REPORTS_TOKEN_FILE: {file} cannot be read (not UTF-8)"]
    file.write_text("too short")
    (line,) = problems()
    assert line.startswith("SENDMART_REPORTS_TOKEN: ")
    assert "too short" not in line, "no part of a secret is shown"


def test_every_problem_has_its_own_line(monkeypatch):
    monkeypatch.setenv("SENDMART_CONVERSION_WINDOW_HOURS", "-1")
    monkeypatch.setenv("SENDMART_EXPORT_CSV_MODE", "excel")
    monkeypatch.setenv("SENDMART_EXPORT_CSV_MODES", "raw")
    names = [line.partition(":")[0] for line in problems()]
    assert sorted(names) == [
        "SENDMART_CONVERSION_WINDOW_HOURS",
        "SENDMART_EXPORT_CSV_MODE",
        "SENDMART_EXPORT_CSV_MODES",
    ]


def test_a_value_of_several_lines_is_one_line_of_complaint(monkeypatch):
    monkeypatch.setenv("SENDMART_EXPORT_CSV_MODE", "raw\nspreadsheet")
    assert len(problems()) == 1


@pytest.mark.parametrize("source", ["environment", "dotenv"])
def test_an_unknown_setting_is_reported_with_a_similar_name(bare_environment, monkeypatch, source):
    if source == "environment":
        monkeypatch.setenv("SENDMART_CONVERSION_WINDOW", "48")
    else:
        bare_environment.write_text("SENDMART_CONVERSION_WINDOW=48\n")
    (line,) = problems()
    assert line.startswith("SENDMART_CONVERSION_WINDOW: ")
    assert "SENDMART_CONVERSION_WINDOW_HOURS" in line


def test_an_unknown_setting_that_resembles_no_other_is_reported_without_a_suggestion(monkeypatch):
    monkeypatch.setenv("SENDMART_NIHGT", "04:15")
    assert problems() == ["SENDMART_NIHGT: no such setting"]


def test_variables_without_the_prefix_are_ignored(bare_environment, monkeypatch):
    monkeypatch.setenv("SENDMART", "x")
    monkeypatch.setenv("LANDING", "x")
    bare_environment.write_text("DATABASE_URL=x\nDATA=x\n")
    assert load_settings().data == DEFAULTS["data"]


def test_the_environment_overrides_dotenv(bare_environment, monkeypatch):
    bare_environment.write_text("SENDMART_MIN_REJECTED_ROWS=5\nSENDMART_EXPORT_RETENTION_DAYS=7\n")
    monkeypatch.setenv("SENDMART_MIN_REJECTED_ROWS", "6")
    settings = load_settings()
    assert (settings.min_rejected_rows, settings.export_retention_days) == (6, 7)
    assert is_set("export_retention_days")
    assert not is_set("landing")


def test_an_invalid_value_in_dotenv_is_ignored_if_the_environment_overrides_it(bare_environment, monkeypatch):
    bare_environment.write_text("SENDMART_MIN_REJECTED_ROWS=many\n")
    monkeypatch.setenv("SENDMART_MIN_REJECTED_ROWS", "6")
    assert load_settings().min_rejected_rows == 6


def test_relative_paths_do_not_depend_on_the_current_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("SENDMART_LANDING", "drop/here")
    monkeypatch.chdir(tmp_path)
    assert load_settings().landing == PROJECT / "drop" / "here"


def test_settings_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        load_settings().min_rejected_rows = 3


def test_the_settings_recorded_with_a_build_hold_no_paths(monkeypatch):
    monkeypatch.setenv("SENDMART_DATA", "/home/ana/data")
    settings = load_settings()
    assert "ana" not in settings.as_json()
    assert '"reporting_currency": "USD"' in settings.as_json()


def test_each_data_folder_has_its_own_spill_directory(monkeypatch, tmp_path):
    assert load_settings().scratch == DEFAULTS["data"] / "warehouse" / "scratch"
    monkeypatch.setenv("SENDMART_TEMP_DIRECTORY", str(tmp_path))
    default_scratch = load_settings().scratch
    monkeypatch.setenv("SENDMART_DATA", "elsewhere")
    other_scratch = load_settings().scratch
    assert {default_scratch.parent, other_scratch.parent} == {tmp_path}
    assert default_scratch != other_scratch
    assert str(tmp_path) not in load_settings().as_json()


def test_landing_zone_lake_published_marts_and_exports_may_be_in_object_stores_or_other_folders(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("SENDMART_LANDING", "s3://drop/logs/")
    monkeypatch.setenv("SENDMART_LAKE", "elsewhere/lake")
    monkeypatch.setenv("SENDMART_PUBLISHED", "s3://warehouse/published")
    settings = load_settings()
    paths = DataPaths.of(settings)
    assert (str(settings.landing), str(settings.landing / "sends")) == ("s3://drop/logs", "s3://drop/logs/sends")
    assert paths.lake == PROJECT / "elsewhere" / "lake"
    assert paths.published_marts == DEFAULTS["data"] / "published" / "sendmart.duckdb", "the data folder keeps a copy"
    assert str(paths.published_store) == "s3://warehouse/published"
    assert paths.exports == DEFAULTS["data"] / "exports"
    assert "drop" not in settings.as_json() + str(settings.figure_settings())
    for name in (
        Path("lake/sends/log_date=2026-01-05/a.parquet"),
        Path("quarantine/sends/log_date=2026-01-05/a.parquet"),
    ):
        assert paths.key_of(paths.path_from_key(name)) == name


@pytest.mark.parametrize(
    "prefix", ["s3://", "s3://UPPER/lake", "s3://bucket/a*b", "s3://bucket//lake", "s3://bucket/{lake}"]
)
def test_an_invalid_object_store_prefix_is_refused(monkeypatch, prefix):
    monkeypatch.setenv("SENDMART_LAKE", prefix)
    with pytest.raises(SettingsError, match="SENDMART_LAKE: must be s3://bucket/prefix"):
        load_settings()


def test_object_store_prefixes_must_not_overlap(monkeypatch):
    monkeypatch.setenv("SENDMART_LANDING", "s3://warehouse/all")
    monkeypatch.setenv("SENDMART_LAKE", "s3://warehouse/all-of-the-lake")
    assert load_settings().lake
    monkeypatch.setenv("SENDMART_LAKE", "s3://warehouse/all/lake")
    with pytest.raises(SettingsError, match="s3://warehouse/all/lake must not be in s3://warehouse/all"):
        load_settings()


class TestRenamedSettings:
    VALUES = ("04:15", "07:45", "4", "3", "true", "true", "5")

    @pytest.fixture(autouse=True)
    def no_warning_yet(self):
        settings_module._warn.cache_clear()

    @pytest.fixture(params=["environment", "dotenv"])
    def set_variables(self, request, bare_environment, monkeypatch):
        def set_variables(variables: dict[str, str]) -> None:
            if request.param == "dotenv":
                bare_environment.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
            else:
                for name, value in variables.items():
                    monkeypatch.setenv(name, value)

        return set_variables

    def test_old_names_are_read_with_one_warning(self, set_variables, caplog):
        set_variables(dict(zip(RENAMED_SETTINGS, self.VALUES, strict=True)))
        settings = load_settings()
        assert settings == load_settings()
        assert (settings.refresh_time, settings.export_time) == ("04:15", "07:45")
        assert (settings.load_workers, settings.build_retention, settings.log_grace_hours) == (4, 3, 5)
        assert settings.mask_phone_numbers
        assert settings.reports_show_phone_numbers
        (warning,) = caplog.messages
        for old, new in RENAMED_SETTINGS.items():
            assert f"{old} is now {new}" in warning

    def test_new_names_do_not_warn(self, set_variables, caplog):
        set_variables(dict(zip(RENAMED_SETTINGS.values(), self.VALUES, strict=True)))
        assert load_settings().load_workers == 4
        assert caplog.messages == []

    @pytest.mark.parametrize(("old", "new"), RENAMED_SETTINGS.items())
    def test_an_old_and_a_new_name_together_are_an_error_without_a_warning(
        self, bare_environment, monkeypatch, caplog, old, new
    ):
        bare_environment.write_text(f"{new}={self.VALUES[list(RENAMED_SETTINGS).index(old)]}\n")
        monkeypatch.setenv(old, self.VALUES[list(RENAMED_SETTINGS).index(old)])
        (line,) = problems()
        assert line == f"{old}: is the old name of {new}, and both are set. Remove {old}"
        assert caplog.messages == []

    def test_an_invalid_value_is_reported_under_the_name_that_was_typed(self, set_variables):
        set_variables({"SENDMART_NIGHT_AT": "3 am"})
        (line,) = problems()
        assert line.startswith("SENDMART_NIGHT_AT: must be a 24-hour time of day")

    def test_an_empty_old_name_is_not_set(self, bare_environment, monkeypatch, caplog):
        monkeypatch.setenv("SENDMART_NIGHT_AT", "")
        assert load_settings().refresh_time == DEFAULTS["refresh_time"]
        bare_environment.write_text("SENDMART_NIGHT_AT=04:15\n")
        assert caplog.messages == []
        assert load_settings().refresh_time == "04:15", "an empty variable of the environment does not hide .env"


class TestSpark:
    @pytest.fixture(autouse=True)
    def installed(self, bare_environment, monkeypatch):
        """The tests do not depend on whether Spark is installed."""
        monkeypatch.setattr("warehouse.config.settings.find_spec", lambda name: object())
        monkeypatch.setenv("SENDMART_ENGINE", "spark")

    def test_spark_is_the_engine(self):
        assert load_settings().engine == "spark"

    def test_the_message_names_the_install_command_if_spark_is_missing(self, monkeypatch):
        monkeypatch.setattr("warehouse.config.settings.find_spec", lambda name: None)
        with pytest.raises(SettingsError, match="SENDMART_ENGINE: Spark is not installed; run make install-spark"):
            load_settings()

    def test_the_lake_must_be_a_folder(self, monkeypatch):
        monkeypatch.setenv("SENDMART_LAKE", "s3://bucket/lake")
        with pytest.raises(SettingsError, match="SENDMART_LAKE: Spark reads the lake from a folder"):
            load_settings()

    def test_masking_needs_the_export(self, monkeypatch):
        monkeypatch.setenv("SENDMART_MASK_PHONE_NUMBERS", "true")
        assert load_settings().mask_phone_numbers
        monkeypatch.setenv("SENDMART_SPARK_EXPORT", "false")
        with pytest.raises(
            SettingsError, match="SENDMART_SPARK_EXPORT: must be true if SENDMART_MASK_PHONE_NUMBERS is"
        ):
            load_settings()


class TestInsights:
    def test_their_settings_are_variables_of_dbt_as_the_models_read_them(self, bare_environment):
        bare_environment.write_text("SENDMART_BOT_CLICK_SECONDS=0.50\nSENDMART_WHAT_IF_WINDOWS=168, 24\n")
        settings = load_settings()
        figures = settings.figure_settings()
        assert (figures["insights"], figures["bot_clicks"], figures["bot_click_seconds"]) == (True, "count", "0.50")
        assert (figures["what_if_windows"], figures["attribution_half_life_hours"]) == ([24, 168], 168)
        assert figures["report_timezone"] == "UTC"
        recorded = json.loads(settings.as_json())
        assert settings.recorded_figure_settings().items() <= recorded.items()
        assert (recorded["what_if_windows"], recorded["bot_click_seconds"]) == ("24,168", "0.50")
        assert (recorded["insights"], recorded["max_rate_age_days"]) == (True, 7)

    def test_without_insights_their_settings_change_no_figure(self, bare_environment):
        bare_environment.write_text("SENDMART_INSIGHTS=false\nSENDMART_REPORT_TIMEZONE=Asia/Tokyo\n")
        figures = load_settings().figure_settings()
        assert figures.keys() & {"bot_click_seconds", "what_if_windows", "report_timezone"} == set()
        assert (figures["insights"], figures["bot_clicks"]) == (False, "count")

    def test_clicks_of_bots_cannot_be_excluded_without_insights(self, bare_environment):
        bare_environment.write_text("SENDMART_INSIGHTS=false\nSENDMART_BOT_CLICKS=exclude\n")
        (line,) = problems()
        assert line.startswith("SENDMART_BOT_CLICKS: must be count if SENDMART_INSIGHTS is false")

    def test_dbt_at_the_prompt_has_the_same_defaults(self, bare_environment):
        project = yaml.safe_load((PROJECT / "dbt_project" / "dbt_project.yml").read_text(encoding="utf-8"))
        assert project["vars"] == {"lake_path": "", **load_settings().figure_settings()}
