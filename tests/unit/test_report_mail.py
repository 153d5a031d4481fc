"""Reports by e-mail: what a real mail server gets, that it gets each mail once, and who learns of mails that it did not take."""

import io
import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword

from orchestration.report_mail import mail_reports
from orchestration.stages import AppContext
from orchestration.stages import report_mail as stage
from orchestration.stages.report_mail import MailOutcome, MailResult, send_report_mails, send_test_mails
from reports.mail import attachments
from tests.receivers import Mailbox, Receiver, mailbox, webhook
from tests.small_published import publish
from warehouse.config.settings import PROJECT, Settings
from warehouse.ledger import MailState, now

TUESDAY = datetime(2026, 3, 10, 4, 0, tzinfo=UTC)
"""The published data end on 2026-03-09."""

CAMPAIGNS = """
    (campaign_id, campaign_name, campaign_type, last_sent_at, total_sent, total_delivered, total_clicks, unique_clickers,
     unsubscribes, direct_orders, assisted_orders, revenue, assisted_revenue, total_segments, last_modified_by)
    values
    ('c1', '=Sale & <b>50 %</b>', 'SMS', '2026-03-09 10:00', 1000, 900, 90, 45, 3, 5, 0, 1250.50, 0, 1000, 'ana'),
    ('c2', 'עדכון', 'MMS', '2026-03-08 23:30', 100, 100, 0, 0, 0, 0, 0, 0, 0, 100, null),
    ('c3', 'Old', 'SMS', '2026-02-20 10:00', 10, 10, 1, 1, 0, 0, 0, 0, 0, 10, 'bo')
"""
DAYS = """
    (day, campaign_type, clock, messages, delivered, failed, segments, clicks, unsubscribes, direct_orders, revenue, cost)
    values
    ('2026-03-09', 'SMS', 'event', 1000, 900, 100, 1000, 90, 3, 5, 1250.50, 40),
    ('2026-03-09', 'SMS', 'sent', 9, 9, 0, 9, 9, 9, 9, 9, 9),
    ('2026-03-08', 'MMS', 'event', 100, 100, 0, 100, 0, 0, 0, 0, 10),
    ('2026-03-08', 'SMS', 'event', 100, 95, 5, 100, 0, 0, 0, 500, 10)
"""
NUMBERS = """
    (mobile_number, suppressed_at, campaign_id, message_id, contact_id)
    values ('+447700900123', '2026-03-01', 'c1', 'm1', 'p1'), ('+447700900999', '2026-03-02', 'c1', 'm2', 'p2')
"""
INCIDENTS = """
    (provider, country, first_day, last_day, days, messages, failed, failure_rate, baseline_rate, top_reason, is_open)
    values ('twilio', 'GB', '2026-03-08', '2026-03-09', 2, 2000, 700, 0.35, 0.02, 'content_filtered', true),
        ('sinch', null, '2026-03-01', '2026-03-01', 1, 200, 70, 0.35, 0.02, 'unknown', false)
"""
UNCONVERTED = """
    (order_id, currency, reason, total, refunded_amount)
    values ('o1', 'CHF', 'no_exchange_rate', 100, 1), ('o2', 'CHF', 'no_exchange_rate', 5, 0)
"""
ORDERS = """
    (order_id, campaign_id, attribution, ordered_at, revenue)
    values ('o1', 'c1', 'direct', '2026-03-09 12:00', null), ('o2', 'c1', 'direct', '2026-03-02 12:00', null)
"""
MARTS = {
    "campaign_metrics": CAMPAIGNS, "daily_totals": DAYS, "suppressed_numbers": NUMBERS, "delivery_incidents": INCIDENTS,
    "unconverted_orders": UNCONVERTED, "attributed_orders": ORDERS,
    "campaign_economics": "(campaign_id, messages_cost_unconverted) values ('c1', 7), ('c2', 100)",
}  # fmt: skip

DAILY = 'name = "Daily"\nto = ["ana@example.com", "bo@example.com"]\nevery = "day"'


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mailbox() as server:
        yield server


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with webhook() as server:
        yield server


@pytest.fixture
def warehouse(tmp_path: Path, bare_environment: Path, box: Mailbox, receiver: Receiver) -> AppContext:
    """A published build, and no subscription yet."""
    context = _warehouse(tmp_path, smtp_url=f"smtp://127.0.0.1:{box.port}?tls=no", alerts=receiver.url)
    publish(context, MARTS)
    return context


def _warehouse(folder: Path, **settings: Any) -> AppContext:
    file = folder / "subscriptions.toml"
    file.touch()
    return AppContext.of(
        Settings(
            data=folder / "data", landing=folder / "landing", report_subscriptions=file,
            smtp_from="Sendmart <sendmart@example.com>", **settings,
        )
    )  # fmt: skip


def _subscribe(context: AppContext, *entries: str) -> None:
    assert context.settings.report_subscriptions is not None
    context.settings.report_subscriptions.write_text("".join(f"[[subscription]]\n{entry}\n" for entry in entries))


def _with(context: AppContext, **changed: Any) -> AppContext:
    """The same data folder with other settings."""
    return AppContext(context.settings.model_copy(update=changed), context.paths, context.ledger)


def _outcomes(results: list[MailResult]) -> list[tuple[str, MailOutcome]]:
    return [(result.recipient, result.outcome) for result in results]


SENT, FAILED, UNCLEAR, WAITING = MailOutcome.SENT, MailOutcome.FAILED, MailOutcome.UNCLEAR, MailOutcome.WAITING


class _Tables(HTMLParser):
    """The cells of all tables, by row; all tags with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._is_in_cell = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self._is_in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._is_in_cell = False

    def handle_data(self, data: str) -> None:
        if self._is_in_cell:
            self.rows[-1][-1] += data.replace("\xa0", " ")


def _html(mail: EmailMessage) -> str:
    return str(mail.get_body(("html",)).get_content())  # type: ignore[union-attr]  # every mail has the part


def _text(mail: EmailMessage) -> str:
    return str(mail.get_body(("plain",)).get_content())  # type: ignore[union-attr]  # every mail has the part


def _attachment(mail: EmailMessage) -> tuple[str, Any]:
    (part,) = mail.iter_attachments()
    return str(part.get_filename()), part.get_content()


# --- what is in a mail


def test_a_mail_has_the_figures_of_its_period_and_the_campaigns_of_its_link(
    warehouse: AppContext, box: Mailbox
) -> None:
    _subscribe(warehouse, DAILY)
    context = _with(warehouse, reports_url="https://reports.example.com")
    send_report_mails(context, at=TUESDAY)
    mail = box.mails[0]
    assert (mail["From"], mail["To"]) == ("Sendmart <sendmart@example.com>", "ana@example.com")
    assert (mail["Subject"], mail["Auto-Submitted"]) == ("Daily: 2026-03-09", "auto-generated")
    rows = _Tables(_html(mail)).rows
    assert rows[:10] == [
        ["Figure", "2026-03-09", "2026-03-08", "Change"],
        ["Revenue", "EUR 1,250.50", "EUR 500.00", "+150.1 %"],
        ["Messages", "1,000", "200", "+400.0 %"],
        ["Delivered", "900", "195", "+361.5 %"],
        ["Delivery rate", "90.0 %", "97.5 %", "−7.5 points"],
        ["Clicks", "90", "0", "–"],
        ["Direct orders", "5", "0", "–"],
        ["Cost", "EUR 40.00", "EUR 20.00", "+100.0 %"],
        ["Unsubscribes", "3", "0", "–"],
        ["Unsubscribes per 1,000 delivered", "3.3", "0.0", "–"],
    ]
    assert [row[:3] for row in rows[10:]] == [
        ["Campaign name", "Last sent", "Revenue"],
        ["=Sale & <b>50 %</b>", "2026-03-09 10:00", "1,250.50"],
        ["All 1", "", "1,250.50"],
    ]
    text = _text(mail)
    assert "Revenue: EUR 1,250.50 (EUR 500.00, +150.1\xa0%)" in text
    assert "Campaign name: =Sale & <b>50 %</b>" in text
    for part in (text, _html(mail).replace("&amp;", "&")):
        assert "https://reports.example.com/?from=2026-03-09&to=2026-03-09" in part
        assert "Data until 2026-03-09" in part
    name, content = _attachment(mail)
    assert name == "Daily_day-2026-03-09.csv"
    assert '"\'=Sale & <b>50 %</b>"' in content
    assert len(content.splitlines()) == 2


def test_a_mail_says_what_is_not_in_its_figures_and_when_a_provider_failed(warehouse: AppContext, box: Mailbox) -> None:
    _subscribe(warehouse, DAILY, DAILY.replace("Daily", "MMS") + '\ntable = "?type=MMS"')
    send_report_mails(warehouse, at=TUESDAY)
    remarks = [
        "twilio in GB failed more than usual from 2026-03-08 to 2026-03-09: 35.0 % of 2,000 messages, 2.0 % in the weeks before."
        " Mostly: a filter refused the text.",
        "1 order (CHF 99.00) is not in revenue: no exchange rate.",
        "7 messages are not in the cost: no exchange rate for their currency.",
    ]
    text = _text(box.mails[0]).replace("\xa0", " ")
    assert [line for line in remarks if line not in text or line not in _html(box.mails[0]).replace("\xa0", " ")] == []
    assert "sinch" not in text
    assert "twilio" not in _text(box.mails[-1])  # whose campaigns failed is not known


def test_a_mail_runs_nothing_and_fetches_nothing(warehouse: AppContext, box: Mailbox) -> None:
    _subscribe(warehouse, DAILY)
    send_report_mails(_with(warehouse, reports_url="https://reports.example.com"), at=TUESDAY)
    tags = _Tables(_html(box.mails[0])).tags
    assert {tag for tag, _ in tags} == {
        "html", "head", "meta", "title", "body", "h1", "h2", "p", "a", "table", "tr", "th", "td",
    }  # fmt: skip
    assert {name for _, attributes in tags for name in attributes} <= {
        "lang", "charset", "name", "content", "style", "scope", "dir", "href",
    }  # fmt: skip
    assert "url(" not in _html(box.mails[0])
    assert max(len(line) for line in box.mails[0].as_bytes().splitlines()) < 998


def test_the_filters_columns_and_order_of_the_link_are_those_of_the_mail(warehouse: AppContext, box: Mailbox) -> None:
    _subscribe(
        warehouse,
        """name = "All of them"\nto = "ana@example.com"\nevery = "week"\nformat = "xlsx"
        table = "?from=2026-01-01&sort=revenue&order=asc&columns=campaign_name&columns=revenue&columns=last_sent_at" """,
        'name = "SMS"\nto = "bo@example.com"\nevery = "publication"\ntable = "?type=SMS&search=sale"',
        'name = "Monday"\nto = "cy@example.com"\nevery = "week"',
    )
    send_report_mails(warehouse, at=TUESDAY)
    everything, sms, monday = box.mails
    assert everything["Subject"] == "All of them: 2026-03-02 to 2026-03-08"
    assert _Tables(_html(everything)).rows[-5:] == [
        ["Campaign name", "Last sent", "Revenue"],
        ["עדכון", "2026-03-08 23:30", "0.00"],
        ["Old", "2026-02-20 10:00", "0.00"],
        ["=Sale & <b>50 %</b>", "2026-03-09 10:00", "1,250.50"],
        ["All 3", "", "1,250.50"],
    ]
    name, content = _attachment(everything)
    assert name == "All-of-them_week-to-2026-03-08.xlsx"
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    assert [[cell.value for cell in row][::2] for row in sheet.iter_rows()] == [
        ["Campaign name", "Revenue"], ["עדכון", 0], ["Old", 0], ["=Sale & <b>50 %</b>", 1250.5],
    ]  # fmt: skip
    assert {cell.data_type for cell in sheet["A"]} == {"s"}
    assert "All SMS campaigns, each event on its own day: 2026-03-03 to 2026-03-09" in _text(sms)
    assert "SMS campaigns that match “sale”" in _text(sms)
    assert ["Messages", "1,100", "0", "–"] in _Tables(_html(sms)).rows
    assert "Old" not in _text(sms)
    # Without days in the link, the campaigns of the period.
    assert [row[0] for row in _Tables(_html(monday)).rows[-2:]] == ["עדכון", "All 1"]


def test_numbers_are_masked_as_on_the_pages(warehouse: AppContext, box: Mailbox) -> None:
    entry = 'name = "Numbers"\nto = "ana@example.com"\nevery = "publication"\nreport = "suppressed_numbers"'
    _subscribe(warehouse, f'{entry}\nformat = "xlsx"', entry.replace("Numbers", "CSV"))
    send_report_mails(warehouse, at=TUESDAY)
    spreadsheet, csv = (_attachment(mail)[1] for mail in box.mails)
    sheet = openpyxl.load_workbook(io.BytesIO(spreadsheet)).active
    assert [cell.value for cell in sheet["A"]] == ["Number", "+44…99", "+44…23"], "the latest first"
    assert "+44…23" in csv
    assert "Attached: Numbers_b1.xlsx with 2 rows of the report suppressed_numbers." in _text(box.mails[0])
    assert not any("7700900" in _html(mail) + _text(mail) for mail in box.mails)
    assert "7700900" not in csv
    send_report_mails(_with(warehouse, reports_show_phone_numbers=True), ["CSV"], again=True, at=TUESDAY)
    assert "+447700900123" in _attachment(box.mails[-1])[1]


def test_a_file_that_is_too_large_is_not_attached(
    warehouse: AppContext, box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = 'name = "Numbers"\nto = "ana@example.com"\nevery = "publication"\nreport = "suppressed_numbers"'
    _subscribe(warehouse, entry, DAILY)
    monkeypatch.setattr(attachments, "MOST_ROWS", 1)
    monkeypatch.setattr(attachments, "MOST_BYTES", 100)
    assert {result.outcome for result in send_report_mails(warehouse, at=TUESDAY)} == {SENT}
    assert "No file is attached: 2 rows are too many for an e-mail. Download it from the report pages" in _text(
        box.mails[0]
    )
    assert re.search(r"No file is attached: \d{3} bytes are too much", _text(box.mails[1]))
    assert [list(mail.iter_attachments()) for mail in box.mails] == [[], [], []]


def test_a_build_without_insights_has_campaigns_but_no_figures(
    tmp_path: Path, bare_environment: Path, box: Mailbox
) -> None:
    context = _warehouse(tmp_path, smtp_url=f"smtp://127.0.0.1:{box.port}?tls=no")
    publish(context, {"campaign_metrics": CAMPAIGNS}, insights=False)
    report = 'name = "Days"\nto = "ana@example.com"\nevery = "week"\nreport = "daily_totals"'
    _subscribe(context, DAILY, report)
    results = send_report_mails(context, at=TUESDAY)
    assert _outcomes(results) == [("ana@example.com", SENT), ("bo@example.com", SENT), ("", FAILED)]
    assert "the published build has no daily_totals: SENDMART_INSIGHTS was false" in results[-1].reason
    assert _Tables(_html(box.mails[0])).rows[0][0] == "Campaign name"


# --- when, and only once


def test_a_mail_is_sent_once_for_each_period_and_recipient(warehouse: AppContext, box: Mailbox) -> None:
    _subscribe(warehouse, DAILY)
    for hours in (0, 1, 19):
        send_report_mails(warehouse, at=TUESDAY + timedelta(hours=hours))
    assert box.recipients == ["ana@example.com", "bo@example.com"]
    # The next day, the data must cover the period.
    (waiting,) = send_report_mails(warehouse, at=TUESDAY + timedelta(days=1))
    assert (waiting.outcome, waiting.reason) == (WAITING, "the published data end before the end of 2026-03-10")
    publish(warehouse, MARTS, build_id="b2", data_until="2026-03-10")
    _subscribe(warehouse, DAILY.replace('"bo@', '"cy@example.com", "bo@'))
    send_report_mails(warehouse, at=TUESDAY + timedelta(days=1))
    assert box.recipients[2:] == ["ana@example.com", "cy@example.com", "bo@example.com"]
    assert len({mail["Message-ID"] for mail in box.mails}) == 5
    (first, *_) = warehouse.ledger.report_mails("Daily", "day 2026-03-09")
    assert (first.recipient, first.state, first.build_id, first.message_id) == (
        "ana@example.com", MailState.SENT, "b1", box.mails[0]["Message-ID"],
    )  # fmt: skip


def test_a_mail_after_each_publication_is_sent_once_for_each_build(warehouse: AppContext, box: Mailbox) -> None:
    _subscribe(warehouse, 'name = "Each build"\nto = "ana@example.com"\nevery = "publication"')
    # The last is a rollback to the first.
    for build in ("b1", "b2", "b1"):
        publish(warehouse, MARTS, build_id=build)
        send_report_mails(warehouse, at=TUESDAY)
    assert len(box.mails) == 2


def test_nothing_is_sent_before_a_publication_or_without_subscriptions(
    tmp_path: Path, bare_environment: Path, box: Mailbox
) -> None:
    context = _warehouse(tmp_path, smtp_url=f"smtp://127.0.0.1:{box.port}?tls=no")
    _subscribe(context, DAILY)
    assert send_report_mails(context) == []
    publish(context, MARTS)
    assert mail_reports(_with(context, report_subscriptions=None)) == []
    assert not stage.due_report_mails(_with(context, report_subscriptions=None))[0]
    assert box.mails == []


def test_a_test_goes_to_one_address_and_is_not_remembered(warehouse: AppContext, box: Mailbox) -> None:
    _subscribe(warehouse, DAILY)
    assert _outcomes(send_test_mails(warehouse, "me@example.com")) == [("me@example.com", SENT)]
    assert box.recipients == ["me@example.com"]
    assert str(box.mails[0]["Subject"]).startswith("[Test] Daily: ")
    assert warehouse.ledger.report_mails("Daily") == []


def test_a_mail_is_sent_again_on_request_as_another_mail(warehouse: AppContext, box: Mailbox) -> None:
    _subscribe(warehouse, DAILY, DAILY.replace("Daily", "Other"))
    send_report_mails(warehouse, at=TUESDAY)
    send_report_mails(warehouse, ["Daily"], again=True, at=TUESDAY)
    assert box.recipients[4:] == ["ana@example.com", "bo@example.com"]
    assert len({mail["Message-ID"] for mail in box.mails}) == 6


# --- mail servers that do not take a mail


def test_a_refused_mail_is_tried_again_with_the_same_message_id_and_is_an_alert_until_it_is_sent(
    warehouse: AppContext, box: Mailbox, receiver: Receiver
) -> None:
    # After a publication, so that the occasion does not depend on the clock.
    _subscribe(warehouse, DAILY.replace('"day"', '"publication"'))
    box.refused_recipients = {"bo@example.com"}
    for _ in range(2):
        results = mail_reports(warehouse)
    assert (
        results[-1].describe() == "Daily (b1) to bo@example.com: not sent: the mail server answered 550 no such mailbox"
    )
    assert (box.recipients, receiver.titles) == (["ana@example.com"], ["report mails failed"])
    assert "Daily (b1) to bo@example.com: not sent: the mail server answered 550" in receiver.alerts[0]["message"]
    waits = []
    for _ in range(3):
        (due,), _ = stage.due_report_mails(warehouse)
        (mail,) = [mail for mail in warehouse.ledger.report_mails("Daily") if mail.state == MailState.FAILED]
        assert due.try_again_at
        waits.append((mail.tries, due.try_again_at - mail.changed_at))
        mail_reports(warehouse)
    assert waits == [(tries, timedelta(hours=hours)) for tries, hours in ((2, 1), (3, 2), (4, 4))]
    (refused,) = [mail for mail in warehouse.ledger.report_mails("Daily") if mail.recipient == "bo@example.com"]
    box.refused_recipients = set()
    assert _outcomes(mail_reports(warehouse)) == [("bo@example.com", SENT)]
    assert box.mails[-1]["Message-ID"] == refused.message_id
    assert receiver.titles == ["report mails failed", "report mails recovered"]


def test_a_mail_that_is_refused_as_a_whole_was_not_sent(warehouse: AppContext, box: Mailbox) -> None:
    _subscribe(warehouse, DAILY)
    box.answer = "552 message too large for +447700900123"
    results = send_report_mails(warehouse, at=TUESDAY)
    assert _outcomes(results) == [("ana@example.com", FAILED), ("bo@example.com", FAILED)]
    assert results[0].reason == "the mail server answered 552 message too large for +44…23"


def test_a_server_that_cannot_be_reached_is_tried_once_a_run_and_later_sends_all(
    warehouse: AppContext, box: Mailbox, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    _subscribe(warehouse, DAILY.replace('"day"', '"publication"'))
    from reports.mail import delivery

    connections = []
    connect = delivery._connect
    monkeypatch.setattr(delivery, "_connect", lambda server: connections.append(server) or connect(server))
    down = _with(warehouse, smtp_url=Settings(smtp_url="smtp://127.0.0.1:1?tls=no").smtp_url)
    results = mail_reports(down)
    assert {result.reason for result in results} == {"127.0.0.1, port 1: Connection refused"}
    assert len(connections) == 1
    assert "not sent: 127.0.0.1, port 1: Connection refused (and 1 more)" in receiver.alerts[0]["message"]
    assert _outcomes(mail_reports(warehouse)) == [("ana@example.com", SENT), ("bo@example.com", SENT)]
    assert len(connections) == 2


def test_an_invalid_file_is_an_alert_and_fails_nothing(warehouse: AppContext, receiver: Receiver) -> None:
    _subscribe(warehouse, DAILY, 'name = "Broken"')
    for _ in range(2):
        assert mail_reports(warehouse) == []
    assert receiver.titles == ["report mails failed"]
    assert "subscriptions.toml: 'Broken': to: Field required" in receiver.alerts[0]["message"]


# --- programs and connections that end in between


def test_a_program_that_is_killed_before_the_answer_sends_no_second_mail(
    warehouse: AppContext, box: Mailbox, receiver: Receiver
) -> None:
    _subscribe(warehouse, DAILY.replace('"day"', '"publication"'))
    processes: list[subprocess.Popen[bytes]] = []
    box.on_mail = lambda: os.kill(processes[0].pid, signal.SIGKILL)
    variables = {
        "SENDMART_DATA": warehouse.settings.data, "SENDMART_LANDING": warehouse.settings.landing,
        "SENDMART_REPORT_SUBSCRIPTIONS": warehouse.settings.report_subscriptions,
        "SENDMART_SMTP_URL": f"smtp://127.0.0.1:{box.port}?tls=no", "SENDMART_SMTP_FROM": warehouse.settings.smtp_from,
    }  # fmt: skip
    command = [sys.executable, "-m", "orchestration.cli.main", "report-mail"]
    environment = {**os.environ, **{name: str(value) for name, value in variables.items()}}
    processes.append(subprocess.Popen(command, cwd=PROJECT, env=environment))
    assert processes[0].wait(60) == -signal.SIGKILL
    assert box.recipients == ["ana@example.com"]
    box.on_mail = lambda: None
    # It may still be on its way: only the other one is sent.
    assert _outcomes(mail_reports(warehouse)) == [("bo@example.com", SENT)]
    assert receiver.titles == []
    an_hour_later = now() + stage.STALLED_AFTER
    (unclear,) = send_report_mails(warehouse, at=an_hour_later)
    assert (unclear.recipient, unclear.outcome) == ("ana@example.com", UNCLEAR)
    assert f"Look for {box.mails[0]['Message-ID']} in the mail server's log" in unclear.reason
    assert box.recipients == ["ana@example.com", "bo@example.com"]


def test_a_connection_that_breaks_before_the_answer_sends_no_second_mail_and_is_one_alert(
    warehouse: AppContext, box: Mailbox, receiver: Receiver
) -> None:
    _subscribe(warehouse, DAILY.replace('"day"', '"publication"').replace('"ana@example.com", ', ""))
    box.breaks_off = True
    assert _outcomes(mail_reports(warehouse)) == [("bo@example.com", UNCLEAR)]
    box.breaks_off = False
    assert _outcomes(mail_reports(warehouse)) == [("bo@example.com", UNCLEAR)]
    assert box.recipients == ["bo@example.com"]
    assert receiver.titles == ["report mails failed"]
    assert "may have been sent: the mail server closed the connection. Look for <" in receiver.alerts[0]["message"]
    assert "They are not sent again." in receiver.alerts[0]["message"]


def test_two_programs_at_once_send_one_mail(warehouse: AppContext, box: Mailbox) -> None:
    _subscribe(warehouse, DAILY)
    # The other program looks while the first mail is on its way.
    box.on_mail = lambda: due.append(stage.due_report_mails(_with(warehouse))[0]) if not due else None
    due: list[list[stage.DueMail]] = []
    claims = [
        warehouse.ledger.claim_mail("Daily", "day 2026-03-09", "bo@example.com", "<x@example.com>", "b1")
        for _ in range(2)
    ]
    assert claims == [True, False]
    assert _outcomes(send_report_mails(warehouse, at=TUESDAY)) == [("ana@example.com", SENT)]


# --- encryption and passwords


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate of localhost that nobody has signed, and the context of a server that has it."""
    key, file = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", file],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    return file, context


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_password_is_sent_over_an_encrypted_connection_to_a_server_with_a_valid_certificate(
    tmp_path: Path,
    bare_environment: Path,
    certificate: tuple[Path, ssl.SSLContext],
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
) -> None:
    file, tls = certificate
    logins = []

    def authenticate(
        _server: object, _session: object, _envelope: object, _mechanism: str, login: object
    ) -> AuthResult:
        assert isinstance(login, LoginPassword)
        logins.append((login.login.decode(), login.password.decode()))
        return AuthResult(success=login.password == b"a p@ss:word", handled=False)

    options: dict[str, Any] = (
        {"tls_context": tls, "require_starttls": True} if scheme == "smtp" else {"ssl_context": tls}
    )
    with mailbox(
        authenticator=authenticate, auth_required=scheme == "smtp", auth_require_tls=scheme == "smtp", **options
    ) as secure:
        (tmp_path / "password").write_text("a p@ss:word\n")
        in_url = _warehouse(tmp_path, smtp_url=f"{scheme}://ana:a%20p%40ss%3Aword@127.0.0.1:{secure.port}")
        in_file = _warehouse(
            tmp_path, smtp_url=f"{scheme}://ana@127.0.0.1:{secure.port}", smtp_password_file=tmp_path / "password"
        )
        publish(in_url, MARTS)
        _subscribe(in_url, DAILY)
        (refused, _) = send_report_mails(in_url, at=TUESDAY)
        assert (
            f"127.0.0.1, port {secure.port}: the mail server's certificate is not valid: self-signed" in refused.reason
        )
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        assert _outcomes(send_report_mails(in_url, at=TUESDAY)) == [("ana@example.com", SENT), ("bo@example.com", SENT)]
        assert _outcomes(send_test_mails(in_file, "me@example.com")) == [("me@example.com", SENT)]
        assert logins == [("ana", "a p@ss:word")] * 2
        (tmp_path / "password").write_text("wrong")
        (refused,) = send_test_mails(in_file, "me@example.com")
        assert "the mail server does not accept user and password (535)" in refused.reason
        (tmp_path / "password").unlink()
        (refused,) = send_test_mails(in_file, "me@example.com")
        assert refused.reason == f"SENDMART_SMTP_PASSWORD_FILE: {tmp_path / 'password'}: No such file or directory"


def test_a_server_without_starttls_gets_nothing(tmp_path: Path, bare_environment: Path, box: Mailbox) -> None:
    context = _warehouse(tmp_path, smtp_url=f"smtp://127.0.0.1:{box.port}")
    publish(context, MARTS)
    _subscribe(context, DAILY)
    (refused, _) = send_report_mails(context, at=TUESDAY)
    assert (refused.outcome, box.mails) == (FAILED, [])
    assert "STARTTLS extension not supported by server" in refused.reason
