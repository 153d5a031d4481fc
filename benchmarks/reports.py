"""`python -m benchmarks.reports`: the time of the report pages on a campaign of a million contacts.

SQL writes a published file to the contracts of the marts: one campaign of a million contacts, sent over a day, among the
campaigns of a year. The pages are requested over HTTP, as a browser does, first from a server that has just started.

Not here: the time to build the marts (`harness`).
"""

import shutil
import statistics
import tempfile
import threading
import time
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import Annotated

import duckdb
import typer
import uvicorn

from benchmarks.report_marts import LARGE, write_marts
from models.marts import SCHEMA
from reports.app import create_app
from reports.links import ENTRIES, contact_path
from warehouse.config import DataPaths, Settings
from warehouse.duckdb_tools import fetch_row, literal

PORT = 8599
REQUESTS = 5


def links(file: Path) -> dict[str, str]:
    """The links that are requested, by a name for the table."""
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(file)} as published (read_only)")
        delivered = (
            f"published.{SCHEMA}.delivery_status where campaign_id = '{LARGE}' and delivery_status = 'delivered'"
        )
        count, contact_id, number = fetch_row(
            connection,
            f"select count(*), max(contact_id), max(mobile_number) from {delivered}",
        )
    page = f"/campaigns/{LARGE}?tab="
    last = -(-count // 50)
    return {
        "the overview and the campaign table": "/",
        "Compare campaigns": f"/compare?campaign={LARGE}&campaign=cmp_00001&campaign=cmp_00002",
        "the campaign (Delivered, first page)": f"/campaigns/{LARGE}",
        **{f"tab {tab}": page + tab for tab in ("pending", "soft_bounce", "hard_bounce", "deleted")},
        **{f"tab {tab}": page + tab for tab in ("clicked", "clicked_only", "ordered", "unsubscribed", "suppressed")},
        "Delivered, page 100": f"{page}delivered&page=100",
        "Delivered, the page in the middle": f"{page}delivered&page={last // 2}",
        "Delivered, the last page": f"{page}delivered&page={last}",
        "Delivered, search for a contact": f"{page}delivered&search={contact_id}",
        "Delivered, search for a number": f"{page}delivered&search=%2B{number[1:]}",
        "Delivered, search that finds nothing": f"{page}delivered&search=nobody",
        "SMS skipped, the last page": f"/campaigns/{LARGE}?skipped=999999",
        **{entry.label: entry.path for entry in ENTRIES if entry.path != "/"},
        "Skipped messages, search for a contact": f"/delivery/skipped?search={contact_id}",
        "A contact": contact_path(contact_id),
        "A contact, by number": f"/people/contact?id=%2B{number[1:]}",
        "Delivered as CSV, all of it": f"/contacts.csv?campaign={LARGE}",
    }


def _request(link: str) -> tuple[float, float, int]:
    """Requests a page; returns wall seconds, CPU seconds of this process, and the bytes of the response."""
    started, cpu_before = time.perf_counter(), time.process_time()
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}{link}") as response:
        size = len(response.read())
    return time.perf_counter() - started, time.process_time() - cpu_before, size


def main(
    contacts: Annotated[int, typer.Option(help="Contacts of the large campaign.")] = 1_000_000,
    all_contacts: Annotated[
        int, typer.Option(help="Contacts of all campaigns, one for each campaign and contact.")
    ] = 10_000_000,
    campaigns: Annotated[int, typer.Option(help="Campaigns.")] = 2_000,
    folder: Annotated[
        Path | None, typer.Option(help="Folder for the data, which is kept; by default a temporary one.")
    ] = None,
) -> None:
    """Time each page: the first time, and the median of five more."""
    data = folder or Path(tempfile.mkdtemp(prefix="sendmart-reports-"))
    try:
        paths = DataPaths(data)
        if not paths.published_marts.exists():
            write_marts(paths.published_marts, contacts, all_contacts, campaigns)
        settings = Settings(data=data, threads=2)
        server = uvicorn.Server(
            uvicorn.Config(create_app(settings, paths, lambda *_: ""), port=PORT, log_level="error", access_log=False)
        )
        threading.Thread(target=server.run, daemon=True).start()
        while not server.started:
            time.sleep(0.05)
        size = paths.published_marts.stat().st_size / 1e6
        print(f"{datetime.now():%Y-%m-%d}: {contacts:,} contacts of {all_contacts:,}, {size:,.0f} MB\n")
        print("| page | first, s | again, s | CPU again, s | kB |\n|---|--:|--:|--:|--:|")
        for name, link in links(paths.published_marts).items():
            requests = [_request(link) for _ in range(1 if link.startswith("/contacts.csv") else REQUESTS + 1)]
            wall, cpu = (
                statistics.median(column) for column in list(zip(*(requests[1:] or requests), strict=True))[:2]
            )
            print(
                f"| {name} | {requests[0][0]:.2f} | {wall:.2f} | {cpu:.2f} | {requests[0][2] / 1000:,.0f} |", flush=True
            )
        server.should_exit = True
    finally:
        if folder is None:
            shutil.rmtree(data)


if __name__ == "__main__":
    typer.run(main)
