"""What all pages share: the published build, the templates, and responses for pages, files and errors.

Not here: the routes of a page (`reports.pages`), its queries (`reports.queries`), its HTML (`reports/templates`).
"""

import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.templating import Jinja2Templates

from models.error_codes import Code
from models.labels import TITLES
from models.marts import NUMBER, MartColumn, dbt_marts
from models.masking import FREE_TEXT_COLUMNS, ID_COLUMNS, masked, masked_in_ids, masked_number, sanitize
from reports import charts, export_requests, formatting, links, plots, security
from reports.csv_download import write_csv
from reports.database import Published, PublishedDatabase, Selection
from reports.queries.first_page import saved_views
from warehouse.config.paths import DataPaths
from warehouse.config.settings import Settings
from warehouse.export import ON_REQUEST, FileFormat, Layout, has_campaigns
from warehouse.ledger import Ledger

HERE = Path(__file__).parent
MEDIA_TYPES = {
    FileFormat.CSV: "text/csv; charset=utf-8",
    FileFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

_FIRST_STYLES, _LAST_STYLES = ("base", "forms", "tables", "charts"), ("small_screens", "print")
LARGEST_FORM = 10_000
"""The most bytes of a form."""

STYLESHEETS = (
    *_FIRST_STYLES,
    *sorted({file.stem for file in (HERE / "static" / "css").glob("*.css")} - {*_FIRST_STYLES, *_LAST_STYLES}),
    *_LAST_STYLES,
)
"""The style sheets of all pages (`static/css`), in this order: a later one overrides an earlier one."""


class Site:
    """The pages of one data folder. `request_export` writes an export that a person requested."""

    def __init__(self, settings: Settings, paths: DataPaths, request_export: export_requests.RequestExport) -> None:
        self.settings, self.paths = settings, paths
        self.zone, self.masks = settings.time_zone, not settings.reports_show_phone_numbers
        self.database = PublishedDatabase(settings, paths)
        self.requests = export_requests.ExportRequests(request_export)
        self.templates = Jinja2Templates(directory=HERE / "templates")
        environment = self.templates.env
        environment.trim_blocks = environment.lstrip_blocks = True
        for formatter in (*formatting.PLAIN_FILTERS, links.campaign_path, links.contact_path):
            environment.filters[formatter.__name__] = formatter
        environment.filters |= {
            "moment": partial(formatting.moment, zone=self.zone),
            "cell": partial(formatting.cell, zone=self.zone, masks=self.masks),
            "phone_number": self.phone_number,
            "shown": self.shown,
            "menu_current": links.is_current,
        }
        environment.globals |= {
            "zone": settings.report_timezone,
            "titles": TITLES,
            "token": security.TOKEN,
            "charts": charts,
            "plots": plots,
            "menu": links.MENU,
            "stylesheets": STYLESHEETS,
            "masks": self.masks,
            "reports": [report for report in ON_REQUEST if report in dbt_marts(insights=settings.insights)],
            "campaign_reports": [report for report in ON_REQUEST if has_campaigns(report)],
        }

    def page(
        self, request: Request, template: str, published: Published | None, status: int = 200, **values: Any
    ) -> Response:
        """A page. Every template also gets the published build, its currency, the last refresh and the table seen last."""
        values |= {
            "published": published,
            "currency": published.settings["reporting_currency"] if published else self.settings.reporting_currency,
            "refresh": _last_refresh(self.paths),
            "table_link": saved_views.last_table(request.cookies),
        }
        return self.templates.TemplateResponse(request, template, values, status_code=status)

    def csv(self, name: str, select: Callable[[Published], Selection]) -> Response:
        """The selected rows as a CSV to download, written while it is read."""
        layout = Layout(self.settings.export_csv_mode == "raw", self.zone, masks_phone_numbers=self.masks)
        blocks = write_csv(self.database.open(), select, layout)
        return file_response(blocks, f"{name}.csv")

    def error(self, request: Request, status: int, title: str, message: str) -> Response:
        return self.page(request, "error.html", None, status, title=title, message=message)

    def shows_numbers(self, published: Published) -> bool:
        """Whether mobile numbers are shown unmasked, so that a part of a number may find a contact."""
        return not self.masks and not published.is_masked

    def shown(self, value: Any, column: MartColumn) -> str:
        """A cell of a mart, without the phone numbers in it where pages mask them."""
        if value is not None and column.name == NUMBER:
            return self.phone_number(value)
        if value is not None and self.masks and column.name in FREE_TEXT_COLUMNS | ID_COLUMNS:
            return masked_in_ids(value) if column.name in ID_COLUMNS else masked(value)
        return formatting.cell(value, column, self.zone, masks=self.masks)

    def phone_number(self, number: str) -> str:
        return masked_number(number) if self.masks and "…" not in number else number


def file_response(blocks: Iterator[bytes], file: str) -> Response:
    """A file to download. Waits for the first block, so that an early error gives an error page, not a broken file."""
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(file)}"}
    all_blocks = chain([next(blocks, b"")], blocks)
    return StreamingResponse(all_blocks, media_type=MEDIA_TYPES[FileFormat(file.rpartition(".")[2])], headers=headers)


async def read_form(request: Request) -> dict[str, list[str]]:
    """The fields of a small form."""
    body = b""
    async for block in request.stream():
        body += block
        if len(body) > LARGEST_FORM:
            raise HTTPException(413, "This form is too large.")
    return parse_qs(body.decode("utf-8", "replace"))


@dataclass(frozen=True)
class LastRefresh:
    """The last refresh: its outcome, when it ended (UTC), the meanings of its runbook codes, and its message by line."""

    outcome: str
    at: datetime
    meanings: list[str]
    lines: list[str]

    @property
    def has_problem(self) -> bool:
        return self.outcome in ("held back", "failed")


def _last_refresh(paths: DataPaths) -> LastRefresh | None:
    """The last refresh in the ledger; None if there is none or the ledger cannot be read."""
    if not paths.ledger.exists():
        return None
    try:
        refresh = Ledger(paths.ledger, paths.find_data).last_refresh()
    except sqlite3.Error:
        return None
    if refresh is None:
        return None
    lines = [sanitize(line) for line in refresh.message.splitlines() if line.strip()]
    codes = dict.fromkeys(
        Code(match[1]) for line in lines if (match := re.match(r"([a-z-]+): ", line)) and match[1] in list(Code)
    )
    return LastRefresh(refresh.outcome, refresh.finished_at, [code.meaning for code in codes], lines)
