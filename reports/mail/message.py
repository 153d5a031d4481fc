"""A mail of a subscription: the figures of its period, the campaigns of its link, and a file with all rows.

The HTML is for mail programs: tables and inline styles, no script, no pictures. The text part says the same.

Not here: the figures (`reports.mail.figures`), the file (`reports.mail.attachments`), sending (`reports.mail.delivery`).
"""

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, Template, select_autoescape

from models.insights import SCHEMA as INSIGHTS_SCHEMA
from models.marts import MartColumn, qualified
from reports.database import Published
from reports.formatting import cell, figure, moment
from reports.mail.attachments import Attachment, attach_campaigns, attach_report
from reports.mail.figures import PeriodFigure, period_figures, remarks
from reports.mail.schedule import Occasion, Period
from reports.mail.subscriptions import Every, Subscription
from reports.queries import campaign_table
from reports.queries.campaign_table import TableQuery
from reports.queries.first_page.table_columns import UNITS
from warehouse.config import Settings
from warehouse.export import ExportRefused, FileFormat

COLUMNS_SHOWN = (
    "campaign_name", "last_sent_at", "revenue", "direct_orders", "total_sent", "total_delivered", "click_to_delivered_rate",
    "unsubscribes",
)  # fmt: skip
"""The columns in the text of a mail if the link names none: as many as fit. The attached file has those of the page."""

_TEXT_TYPES = ("varchar", "timestamp", "date")
_MEDIA_TYPES = {
    FileFormat.CSV: ("text", "csv"),
    FileFormat.XLSX: ("application", "vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
}


@dataclass(frozen=True)
class Column:
    """A column of the table in a mail."""

    label: str
    is_number: bool


@dataclass(frozen=True)
class ReportText:
    """What the templates show."""

    title: str
    period: Period
    data_until: str
    published_at: str
    zone: str
    currency: str
    figures: list[PeriodFigure]
    figures_title: str
    remarks: list[str]
    report: str | None
    campaigns_title: str
    columns: list[Column]
    campaigns: list[list[str]]
    totals: list[str]
    notes: list[str]
    link: str
    footer: str


@dataclass(frozen=True)
class Report:
    """A mail without its recipient."""

    text: ReportText
    attachment: Attachment
    file_format: FileFormat


def compose(settings: Settings, published: Published, subscription: Subscription, occasion: Occasion) -> Report:
    """The mail of a subscription about an occasion.

    Raises:
        ExportRefused: the published build does not have the report, or a spreadsheet cannot hold it.
    """
    name = re.sub("[^A-Za-z0-9]+", "-", subscription.name).strip("-") or "report"
    file = f"{name}_{occasion.key.replace(' ', '-')}.{subscription.format}"
    if subscription.report is not None:
        return _compose_report(settings, published, subscription, occasion, file)
    query = replace(_query_of_period(subscription, occasion.period), page=1)
    selection = campaign_table.selected_for_file(published, query, settings.time_zone)
    attachment = attach_campaigns(settings, published, selection, file, subscription.format)
    table = campaign_table.table(published, query, settings.time_zone)
    notes = [_note(attachment, "campaigns")]
    if table.page.count > len(table.page.rows):
        notes.insert(0, f"The first {len(table.page.rows)} of {table.page.count:,} campaigns are shown.")
    if table.left_out:
        notes.insert(0, f"{table.left_out:,} campaigns with {table.too_few} are left out.")
    names = COLUMNS_SHOWN if query.columns == TableQuery.columns else table.shown
    columns = [table.columns[name] for name in names]
    by_type = partial(cell, zone=settings.time_zone, masks=not settings.reports_show_phone_numbers)

    def text(value: Any, column: MartColumn) -> str:
        return figure(value, UNITS[column.name]) if column.name in UNITS else by_type(value, column)

    totals = [text(table.totals[column.name], column) if column.name in table.totals else "" for column in columns]
    report_text = replace(
        _text(settings, published, subscription, occasion, query.campaign_type),
        campaigns_title=query.words,
        columns=[Column(column.label, column.sql_type not in _TEXT_TYPES) for column in columns],
        campaigns=[[text(row[column.name], column) for column in columns] for row in table.page.rows],
        totals=[totals[0] or f"All {table.page.count:,}", *totals[1:]],
        notes=notes,
        link=f"{settings.reports_url}{query.link()}" if settings.reports_url else "",
    )
    return Report(report_text, attachment, subscription.format)


def _compose_report(
    settings: Settings, published: Published, subscription: Subscription, occasion: Occasion, file: str
) -> Report:
    assert subscription.report is not None  # the caller's condition
    schema, _, table = qualified(subscription.report).partition(".")
    if not published.has(schema, table):
        missing = " SENDMART_INSIGHTS was false" if schema == INSIGHTS_SCHEMA else ""
        raise ExportRefused(f"the published build has no {subscription.report}:{missing}")
    attachment = attach_report(settings, published, subscription.report, file, subscription.format)
    report_text = replace(
        _text(settings, published, subscription, occasion, ""),
        report=subscription.report,
        notes=[_note(attachment, f"rows of the report {subscription.report}")],
        link=f"{settings.reports_url}/" if settings.reports_url else "",
    )
    return Report(report_text, attachment, subscription.format)


def _text(
    settings: Settings, published: Published, subscription: Subscription, occasion: Occasion, campaign_type: str
) -> ReportText:
    currency = published.settings["reporting_currency"]
    of_type = f"All {campaign_type} campaigns" if campaign_type else "All campaigns"
    return ReportText(
        title=f"{subscription.name}: {occasion.period}",
        period=occasion.period,
        data_until=str(published.info["data_until"]),
        published_at=moment(published.info["published_at"], settings.time_zone),
        zone=settings.report_timezone,
        currency=currency,
        figures=period_figures(published, occasion.period, campaign_type, currency),
        figures_title=f"{of_type}, each event on its own day",
        remarks=[] if campaign_type else remarks(published, occasion.period, settings.time_zone),
        report=None,
        campaigns_title="",
        columns=[],
        campaigns=[],
        totals=[],
        notes=[],
        link="",
        footer=f"Sendmart sends this e-mail to you for the subscription “{subscription.name}”. To end it, ask the people who run"
        " Sendmart.",
    )


def _query_of_period(subscription: Subscription, period: Period) -> TableQuery:
    """The campaigns of the link. If the link has no days, those last sent in the period; after a publication, all."""
    query = subscription.query
    if query.sent_from or query.sent_to or subscription.every is Every.PUBLICATION:
        return query
    return replace(query, sent_from=period.first, sent_to=period.last)


def _note(attachment: Attachment, rows: str) -> str:
    if attachment.refusal:
        return f"No file is attached: {attachment.refusal}. Download it from the report pages, under Exports."
    return f"Attached: {attachment.name} with {attachment.rows:,} {rows}."


def message_id(subscription: str, occasion: str, recipient: str, sender: str, *, at: datetime | None = None) -> str:
    """The Message-ID of a mail. A retry has the same ID. `at` gives a mail that a person sends again another ID."""
    named = "\n".join([subscription, occasion, recipient, at.isoformat() if at else ""])
    return f"<{hashlib.sha256(named.encode()).hexdigest()[:32]}@{sender.rpartition('@')[2].rstrip('>')}>"


def message(
    report: Report, sender: str, recipient: str, message_id: str, sent_at: datetime, *, is_test: bool = False
) -> EmailMessage:
    """The mail to one recipient."""
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"] = sender, recipient
    mail["Subject"] = f"[Test] {report.text.title}" if is_test else report.text.title
    mail["Date"], mail["Message-ID"] = format_datetime(sent_at), message_id
    mail["Auto-Submitted"] = "auto-generated"  # keeps out-of-office replies away
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(_template("report.txt").render(mail=report.text), cte="quoted-printable")
    html = _template("report.html").render(mail=report.text)
    mail.add_alternative(html, subtype="html", cte="quoted-printable")
    if not report.attachment.refusal:
        main, sub = _MEDIA_TYPES[report.file_format]
        params = {"charset": "utf-8"} if main == "text" else {}
        name, content = report.attachment.name, report.attachment.content
        mail.add_attachment(content, maintype=main, subtype=sub, filename=name, params=params)
    return mail


@cache
def _templates() -> Environment:
    folder = Path(__file__).parent / "templates"
    environment = Environment(loader=FileSystemLoader(folder), autoescape=select_autoescape(["html"]))
    environment.trim_blocks = environment.lstrip_blocks = True
    return environment


def _template(name: str) -> Template:
    return _templates().get_template(name)
