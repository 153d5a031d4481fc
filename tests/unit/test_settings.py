"""Settings: defaults, where they come from, and one clear line for each that makes no sense."""

from datetime import date
from pathlib import Path

import pytest

from warehouse.config import settings as settings_module
from warehouse.config.paths import DataPaths
from warehouse.config.settings import PROJECT, RENAMED_SETTINGS, SettingsError, load_settings

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


def test_the_defaults_are_those_of_the_contract():
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


TAKEN = [
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


@pytest.mark.parametrize(("name", "value", "meant"), TAKEN)
def test_a_value_that_makes_sense_is_taken(monkeypatch, name, value, meant):
    monkeypatch.setenv(f"SENDMART_{name}", value)
    assert getattr(load_settings(), name.lower()) == meant
    assert is_set(name.lower())


NONSENSE = [
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
    *(("SPARK_SCHEMA", value) for value in ("Marts", "marts; drop schema x", "1st")),
]


@pytest.mark.parametrize(("name", "value"), NONSENSE)
@pytest.mark.parametrize("source", ["environment", "dotenv"])
def test_a_value_that_makes_no_sense_is_one_clear_line(bare_environment, monkeypatch, name, value, source):
    if source == "environment":
        monkeypatch.setenv(f"SENDMART_{name}", value)
    else:
        bare_environment.write_text(
            f"SENDMART_{name}={value!r}\n" if "'" not in value else f'SENDMART_{name}="{value}"\n'
        )
    (line,) = problems()
    assert line.startswith(f"SENDMART_{name}: ")
    assert value in line


def test_every_problem_has_a_line_of_its_own(monkeypatch):
    monkeypatch.setenv("SENDMART_CONVERSION_WINDOW_HOURS", "-1")
    monkeypatch.setenv("SENDMART_EXPORT_CSV_MODE", "excel")
    monkeypatch.setenv("SENDMART_EXPORT_CSV_MODES", "raw")
    names = [line.partition(":")[0] for line in problems()]
    assert sorted(names) == [
        "SENDMART_CONVERSION_WINDOW_HOURS",
        "SENDMART_EXPORT_CSV_MODE",
        "SENDMART_EXPORT_CSV_MODES",
    ]


def test_a_value_over_several_lines_is_still_one_line_of_complaint(monkeypatch):
    monkeypatch.setenv("SENDMART_EXPORT_CSV_MODE", "raw\nspreadsheet")
    assert len(problems()) == 1


@pytest.mark.parametrize("source", ["environment", "dotenv"])
def test_a_setting_that_there_is_not_is_told_with_what_was_perhaps_meant(bare_environment, monkeypatch, source):
    if source == "environment":
        monkeypatch.setenv("SENDMART_CONVERSION_WINDOW", "48")
    else:
        bare_environment.write_text("SENDMART_CONVERSION_WINDOW=48\n")
    (line,) = problems()
    assert line.startswith("SENDMART_CONVERSION_WINDOW: ")
    assert "SENDMART_CONVERSION_WINDOW_HOURS" in line


def test_what_is_no_setting_of_this_project_is_nobodys_concern(bare_environment, monkeypatch):
    monkeypatch.setenv("SENDMART", "x")
    monkeypatch.setenv("LANDING", "x")
    bare_environment.write_text("DATABASE_URL=x\nDATA=x\n")
    assert load_settings().data == DEFAULTS["data"]


def test_the_environment_comes_before_dotenv(bare_environment, monkeypatch):
    bare_environment.write_text("SENDMART_MIN_REJECTED_ROWS=5\nSENDMART_EXPORT_RETENTION_DAYS=7\n")
    monkeypatch.setenv("SENDMART_MIN_REJECTED_ROWS", "6")
    settings = load_settings()
    assert (settings.min_rejected_rows, settings.export_retention_days) == (6, 7)
    assert is_set("export_retention_days")
    assert not is_set("landing")


def test_nonsense_in_dotenv_does_not_matter_where_the_environment_says_otherwise(bare_environment, monkeypatch):
    bare_environment.write_text("SENDMART_MIN_REJECTED_ROWS=many\n")
    monkeypatch.setenv("SENDMART_MIN_REJECTED_ROWS", "6")
    assert load_settings().min_rejected_rows == 6


def test_relative_paths_do_not_depend_on_where_one_stands(monkeypatch, tmp_path):
    monkeypatch.setenv("SENDMART_LANDING", "drop/here")
    monkeypatch.chdir(tmp_path)
    assert load_settings().landing == PROJECT / "drop" / "here"


def test_settings_cannot_be_changed_once_read():
    with pytest.raises(ValueError, match="frozen"):
        load_settings().min_rejected_rows = 3


def test_what_a_build_records_of_the_settings_says_nothing_of_paths(monkeypatch):
    monkeypatch.setenv("SENDMART_DATA", "/home/ana/data")
    settings = load_settings()
    assert "ana" not in settings.as_json()
    assert '"reporting_currency": "USD"' in settings.as_json()


def test_duckdb_spills_to_a_folder_of_its_own_for_each_data_folder(monkeypatch, tmp_path):
    assert load_settings().scratch == DEFAULTS["data"] / "warehouse" / "scratch"
    monkeypatch.setenv("SENDMART_TEMP_DIRECTORY", str(tmp_path))
    of_default = load_settings().scratch
    monkeypatch.setenv("SENDMART_DATA", "elsewhere")
    of_another = load_settings().scratch
    assert {of_default.parent, of_another.parent} == {tmp_path}
    assert of_default != of_another
    assert str(tmp_path) not in load_settings().as_json()


def test_landing_zone_lake_published_marts_and_exports_may_each_lie_in_an_object_store_or_another_folder(monkeypatch):
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
def test_a_prefix_is_a_bucket_and_plain_names(monkeypatch, prefix):
    monkeypatch.setenv("SENDMART_LAKE", prefix)
    with pytest.raises(SettingsError, match="SENDMART_LAKE: must be s3://bucket/prefix"):
        load_settings()


def test_no_prefix_is_in_another(monkeypatch):
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
    def test_an_old_and_a_new_name_together_are_an_error(self, bare_environment, monkeypatch, old, new):
        bare_environment.write_text(f"{new}={self.VALUES[list(RENAMED_SETTINGS).index(old)]}\n")
        monkeypatch.setenv(old, self.VALUES[list(RENAMED_SETTINGS).index(old)])
        (line,) = problems()
        assert line == f"{old}: is the old name of {new}, and both are set. Remove {old}"

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
        """What is installed here does not matter."""
        monkeypatch.setattr("warehouse.config.settings.find_spec", lambda name: object())
        monkeypatch.setenv("SENDMART_ENGINE", "spark")

    def test_it_is_the_engine_that_was_asked_for(self):
        assert load_settings().engine == "spark"

    def test_where_it_is_not_installed_the_next_step_is_named(self, monkeypatch):
        monkeypatch.setattr("warehouse.config.settings.find_spec", lambda name: None)
        with pytest.raises(SettingsError, match="SENDMART_ENGINE: Spark is not installed; run make install-spark"):
            load_settings()

    def test_its_lake_is_a_folder(self, monkeypatch):
        monkeypatch.setenv("SENDMART_LAKE", "s3://bucket/lake")
        with pytest.raises(SettingsError, match="SENDMART_LAKE: Spark reads the lake from a folder"):
            load_settings()

    def test_what_masks_numbers_is_not_left_out(self, monkeypatch):
        monkeypatch.setenv("SENDMART_MASK_PHONE_NUMBERS", "true")
        assert load_settings().mask_phone_numbers
        monkeypatch.setenv("SENDMART_SPARK_EXPORT", "false")
        with pytest.raises(
            SettingsError, match="SENDMART_SPARK_EXPORT: must be true if SENDMART_MASK_PHONE_NUMBERS is"
        ):
            load_settings()
