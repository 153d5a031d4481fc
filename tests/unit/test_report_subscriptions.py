"""Who gets which report when: the file of the subscriptions, their occasions, and the mail server's URL."""

from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from reports.mail.schedule import Period, last_occasion
from reports.mail.subscriptions import Every, Subscription, SubscriptionsInvalid, load_subscriptions, table_query
from reports.queries.campaign_table import TableQuery
from warehouse.config.mail_server import Encryption, MailServer, parse_smtp_url
from warehouse.config.settings import SettingsError, load_settings
from warehouse.export import FileFormat

BERLIN = ZoneInfo("Europe/Berlin")


def _subscription(**fields: object) -> Subscription:
    return Subscription.model_validate({"name": "Sales", "to": "ana@example.com", "every": "week", **fields})


# --- the file


def test_an_entry_says_who_gets_what_and_when(tmp_path: Path) -> None:
    file = tmp_path / "subscriptions.toml"
    file.write_text("""
        [[subscription]]
        name = "Weekly sales"
        to = ["ana@example.com", "bo@example.com", "ana@example.com"]
        every = "week"
        on = "tuesday"
        at = "08:00"
        table = "https://reports.example.com/?type=SMS&sort=revenue&columns=revenue&columns=campaign_name"
        format = "xlsx"

        [[subscription]]
        name = "Bounces, every month"
        to = "ops@example.com"
        every = "month"
        at = 07:30:00
        report = "suppressed_numbers"
    """)
    weekly, monthly = load_subscriptions(file)
    assert (weekly.to, weekly.weekday, weekly.format) == (["ana@example.com", "bo@example.com"], 1, FileFormat.XLSX)
    assert weekly.query == TableQuery(campaign_type="SMS", sort="revenue", columns=("campaign_name", "revenue"))
    assert (monthly.to, monthly.every, monthly.month_day) == (["ops@example.com"], Every.MONTH, 1)
    assert (weekly.at, monthly.at) == ("08:00", "07:30")
    assert (monthly.report, monthly.format) == ("suppressed_numbers", FileFormat.CSV)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ('every = "hour"', "every: must be 'publication', 'day', 'week' or 'month'"),
        ('on = "funday"', "on: must be one of monday, "),
        ("on = 3", "on: must be one of monday, "),
        ('every = "month"\non = 29', "on: must be a day from 1 to 28 (is 29)"),
        ('every = "month"\non = "monday"', "on: must be a day from 1 to 28 (is 'monday')"),
        ('every = "day"\non = "monday"', 'on: only with every = "week" or "month"'),
        ('every = "publication"\nat = "08:00"', 'at: not with every = "publication"'),
        ('at = "8:00"', "at: must be a 24-hour time of day, such as 08:00"),
        ("at = 8", "at: must be a 24-hour time of day, such as 08:00"),
        ("at = 08:00:30", "at: must be a 24-hour time of day, such as 08:00"),
        ('to = "ana"', "to: 'ana' is no e-mail address"),
        ('to = ["ana@example.com", "x@y\\nBcc: z@example.com"]', "is no e-mail address"),
        ("to = []", "to: must be 1 to 100 e-mail addresses"),
        ('name = "a\\nb"', "name: must be 1 to 80 letters"),
        ('report = "sends"', "report: must be one of campaign_metrics, "),
        ('report = "campaign_metrics"\ntable = "?type=SMS"', "table, report: one of them, not both"),
        ('table = "?typ=SMS"', "table: the campaign table does not know typ: copy the link of the table"),
        ('table = "?type=sms&from=1.1.2026&columns=opens"', "does not know type=sms, from=1.1.2026, columns=opens"),
        ('format = "pdf"', "format: must be 'csv' or 'xlsx'"),
        ('cc = "bo@example.com"', "cc: Extra inputs are not permitted"),
    ],
)
def test_an_invalid_entry_is_named_with_its_problem(tmp_path: Path, changed: str, problem: str) -> None:
    entry = {"name": 'name = "Sales"', "to": 'to = "ana@example.com"', "every": 'every = "week"'}
    entry |= {line.partition(" ")[0]: line for line in changed.split("\n")}
    file = tmp_path / "subscriptions.toml"
    file.write_text("[[subscription]]\n" + "\n".join(entry.values()))
    with pytest.raises(SubscriptionsInvalid) as error:
        load_subscriptions(file)
    (line,) = str(error.value).splitlines()
    assert line.startswith((f"{file}: 'Sales': ", f"{file}: 'a\\nb': "))
    assert problem in line


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[subscription]\n", "is no TOML file"),
        ("[subscription]\nname = 'x'", "an entry begins with [[subscription]], in two brackets"),
        ("[[subscriptions]]\nname = 'x'", "subscriptions: no such key; entries begin with [[subscription]]"),
        ("[[subscription]]\nevery = 'day'", "entry 1: name: Field required"),
        (2 * "[[subscription]]\nname = 'x'\nto = 'a@b.example'\nevery = 'day'\n", "'x': two entries have this name"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "subscriptions.toml"
    file.write_text(text)
    with pytest.raises(SubscriptionsInvalid) as error:
        load_subscriptions(file)
    assert problem in str(error.value)


def test_a_file_that_is_missing_says_so(tmp_path: Path) -> None:
    with pytest.raises(SubscriptionsInvalid, match="No such file or directory"):
        load_subscriptions(tmp_path / "none.toml")


@pytest.mark.parametrize("prefix", ["", "?", "/?", "https://reports.example.com/?"])
def test_a_link_or_its_part_after_the_question_mark_is_the_same(prefix: str) -> None:
    query = table_query(prefix + "search=Sale+50%25&from=2026-01-01&order=asc&page=2&chart=total_sent")
    assert (query.search, query.sent_from, query.descending) == ("Sale 50%", date(2026, 1, 1), False)


# --- occasions


@pytest.mark.parametrize(
    ("fields", "local", "key", "days"),
    [
        ({"every": "day"}, "2026-03-10 00:00", "day 2026-03-09", "2026-03-09"),
        ({"every": "day", "at": "08:00"}, "2026-03-10 07:59", "day 2026-03-08", "2026-03-08"),
        ({"every": "day", "at": "08:00"}, "2026-03-10 08:00", "day 2026-03-09", "2026-03-09"),
        ({}, "2026-03-09 00:00", "week to 2026-03-08", "2026-03-02 to 2026-03-08"),
        ({}, "2026-03-15 23:59", "week to 2026-03-08", "2026-03-02 to 2026-03-08"),
        ({"on": "wednesday", "at": "09:30"}, "2026-03-11 09:29", "week to 2026-03-01", "2026-02-23 to 2026-03-01"),
        ({"on": "wednesday", "at": "09:30"}, "2026-03-11 09:30", "week to 2026-03-08", "2026-03-02 to 2026-03-08"),
        ({"on": "sunday"}, "2026-03-08 12:00", "week to 2026-03-01", "2026-02-23 to 2026-03-01"),
        ({"every": "month"}, "2026-03-01 00:00", "month 2026-02", "February 2026"),
        ({"every": "month", "on": 3}, "2026-03-02 23:00", "month 2026-01", "January 2026"),
        ({"every": "month", "on": 28, "at": "23:59"}, "2026-01-28 23:58", "month 2025-11", "November 2025"),
        ({"every": "publication"}, "2026-03-10 12:00", "b7", "2026-03-03 to 2026-03-09"),
    ],
)
def test_the_latest_occasion_that_is_due_by_the_clock_of_the_reports(
    fields: dict[str, object], local: str, key: str, days: str
) -> None:
    moment = datetime.fromisoformat(local).replace(tzinfo=BERLIN).astimezone(UTC)
    occasion = last_occasion(_subscription(**fields), moment, BERLIN, "b7", date(2026, 3, 9))
    assert (occasion.key, str(occasion.period)) == (key, days)


@pytest.mark.parametrize(
    ("first", "last", "text", "before"),
    [
        ("2026-03-09", "2026-03-09", "2026-03-09", "2026-03-08"),
        ("2026-03-02", "2026-03-08", "2026-03-02 to 2026-03-08", "2026-02-23 to 2026-03-01"),
        ("2026-03-01", "2026-03-31", "March 2026", "February 2026"),
        ("2026-01-01", "2026-01-31", "January 2026", "December 2025"),
        ("2026-01-01", "2026-02-28", "2026-01-01 to 2026-02-28", "2025-11-03 to 2025-12-31"),
    ],
)
def test_a_period_is_compared_with_the_one_before(first: str, last: str, text: str, before: str) -> None:
    period = Period(date.fromisoformat(first), date.fromisoformat(last))
    assert (str(period), str(period.before)) == (text, before)


# --- the mail server


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtps://ana:a%40b%3A@mail.example.com", MailServer("mail.example.com", 465, Encryption.TLS, "ana", "a@b:")),
        (
            "smtp://ana:pw@mail.example.com:2587/",
            MailServer("mail.example.com", 2587, Encryption.STARTTLS, "ana", "pw"),
        ),
        ("smtp://mail.example.com", MailServer("mail.example.com", 587, Encryption.STARTTLS)),
        ("smtp://mail.example.com?tls=no", MailServer("mail.example.com", 25, Encryption.NONE)),
        ("smtp://ana:pw@127.0.0.1:1025?tls=no", MailServer("127.0.0.1", 1025, Encryption.NONE, "ana", "pw")),
    ],
)
def test_a_url_names_the_server_and_how_the_connection_is_encrypted(url: str, server: MailServer) -> None:
    assert parse_smtp_url(url) == server
    assert server.password == "" or server.password not in repr(server)


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.com", "http://a-secret@mail.example.com", "smtp://", "smtp://a-secret@mail.example.com:port",
        "smtp://ana:a-secret@mail.example.com?tls=maybe", "smtps://ana:a-secret@mail.example.com?tls=no",
        "smtp://ana:a-secret@mail.example.com?tls=no", "smtp://mail.example.com/a-secret", "smtp://ana:a-secret/@mail.example.com",
    ],
)  # fmt: skip
def test_an_invalid_url_is_one_line_without_the_secret(
    url: str, bare_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDMART_SMTP_URL", url)
    with pytest.raises(SettingsError) as error:
        load_settings()
    (line,) = str(error.value).splitlines()
    assert line.startswith(
        ("SENDMART_SMTP_URL: must be smtps://", "SENDMART_SMTP_URL: must not send a user and a password")
    )
    assert "a-secret" not in line


def test_subscriptions_need_a_mail_server_and_a_sender(bare_environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENDMART_REPORT_SUBSCRIPTIONS", "subscriptions.toml")
    with pytest.raises(SettingsError, match=r"^SENDMART_SMTP_URL: must be set if SENDMART_REPORT_SUBSCRIPTIONS is$"):
        load_settings()
    monkeypatch.setenv("SENDMART_SMTP_URL", "smtps://ana:a-secret@mail.example.com")
    monkeypatch.setenv("SENDMART_SMTP_FROM", "Sendmart")
    with pytest.raises(SettingsError, match=r"^SENDMART_SMTP_FROM: must be an e-mail address, .* \(is 'Sendmart'\)$"):
        load_settings()
    monkeypatch.setenv("SENDMART_SMTP_FROM", "Sendmart <sendmart@example.com>")
    monkeypatch.setenv("SENDMART_REPORTS_URL", "https://reports.example.com/marketing/")
    settings = load_settings()
    assert settings.reports_url == "https://reports.example.com/marketing"
    for shown in (repr(settings), settings.as_json(), settings.model_dump_json()):
        assert "a-secret" not in shown
