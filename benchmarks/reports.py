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

from models.marts import MARTS, SCHEMA, columns
from reports.app import create_app
from warehouse.config import DataPaths, Settings
from warehouse.duckdb_tools import fetch_row, literal

PORT = 8599
REQUESTS = 5
LARGE = "cmp_large"
OTHERS = 200

_STATUSES = (
    "case when n % 100 < 94 then 'delivered' when n % 100 < 96 then 'pending' when n % 100 < 97 then 'soft_bounce'"
    " when n % 100 < 99 then 'hard_bounce' else 'deleted' end"
)
_SUMS = ", ".join(
    f"count(*) filter (delivery_status = '{status}') as {tile}"
    for status, tile in (
        ("delivered", "unique_deliveries"), ("pending", "pending"), ("soft_bounce", "soft_bounces"),
        ("hard_bounce", "hard_bounces"), ("deleted", "deleted"),
    )
)  # fmt: skip


def write_marts(file: Path, contacts: int, all_contacts: int) -> None:
    """Writes a published file with a campaign of `contacts` among `all_contacts`."""
    file.parent.mkdir(parents=True)
    with duckdb.connect() as connection:
        connection.execute(
            f"attach {literal(file)} as published; create schema published.{SCHEMA}; use published.{SCHEMA}"
        )
        for mart in MARTS:
            definition = ", ".join(f"{column.name} {column.sql_type}" for column in columns(mart))
            connection.execute(f"create table {mart} ({definition})")
        other_contacts = max(1, (all_contacts - contacts) // OTHERS)
        for number in range(OTHERS + 1):
            is_large = number == OTHERS // 2
            campaign_id, campaign_contacts = (LARGE, contacts) if is_large else (f"cmp_{number:04}", other_contacts)
            started = f"timestamp '2026-01-01' + interval {number * 43} hour"
            connection.execute(
                f"insert into delivery_status by name select {literal(campaign_id)} as campaign_id,"
                f" 'ct_' || left(md5((n * 7)::varchar), 12) as contact_id,"
                " '+4477' || lpad((n % 100000000)::varchar, 8, '0') as mobile_number,"
                f" {_STATUSES} as delivery_status, 1 as messages_sent, 'msg_{number}_' || n as message_id,"
                f" {started} + to_milliseconds(n * 86) as last_sent_at, last_sent_at + interval 4 second as status_at,"
                " 'twilio' as provider, delivery_status as provider_status, null as error_code"
                f" from range({campaign_contacts}) as numbers(n)"
            )
            connection.execute(
                "insert into skip_reasons by name"
                f" select {literal(campaign_id)} as campaign_id, 'ct_' || left(md5((n * 11)::varchar), 12) as contact_id,"
                f" 'skipped_{number}_' || n as message_id, '+4478' || lpad(n::varchar, 8, '0') as mobile_number,"
                " if(n % 5 = 0, 'ContentTooLong', 'SkippedHypersonalization') as skip_reason,"
                f" 'In a sentence.' as skip_reason_details, {started} as skipped_at"
                f" from range({campaign_contacts // 20}) as numbers(n)"
            )
            connection.execute(
                "insert into attributed_orders by name select 'order_' || n as order_id,"
                f" {literal(campaign_id)} as campaign_id, if(n % 9 = 0, 'assisted', 'direct') as attribution,"
                f" 'ct_' || n as contact_id, {started} + to_seconds(n * 37) as ordered_at, ordered_at as clicked_at,"
                " 'click_' || n as click_id, 10 as revenue, 'USD' as currency, 10 as total, 0 as refunded_amount"
                f" from range({campaign_contacts // 200}) as numbers(n)"
            )
        connection.execute(
            "insert into campaign_overview by name select campaign_id, campaign_id as campaign_name, 0 as revenue,"
            f" count(*) as unique_sends, {_SUMS}, 0 as unsubscribes from delivery_status group by campaign_id"
        )
        zeros = ", ".join(
            f"0 as {column.name}" for column in columns("campaign_metrics")
            if column.sql_type != "varchar" and column.name not in ("total_sent", "total_delivered", "last_sent_at")
        )  # fmt: skip
        connection.execute(
            f"insert into campaign_metrics by name select {zeros}, campaign_id, any_value(campaign_id) as campaign_name,"
            " 'SMS' as campaign_type, max(last_sent_at) as last_sent_at, count(*) as total_sent,"
            " count(*) filter (delivery_status = 'delivered') as total_delivered from delivery_status group by campaign_id"
        )
        connection.execute(
            "insert into campaigns by name select campaign_id, campaign_name, 'SMS' as campaign_type,"
            " 'A message' as body, 'editor' as last_modified_by, now()::timestamp as last_modified_at from campaign_overview"
        )
        connection.execute(
            "insert into build_info by name select 'benchmark' as build_id, now()::timestamp as published_at,"
            f" current_date as data_until, '0' as version, {literal(Settings().as_json())} as settings"
        )
        connection.execute("checkpoint published")


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
        "the campaign table": "/",
        "the campaign (Delivered, first page)": f"/campaigns/{LARGE}",
        **{f"tab {tab}": page + tab for tab in ("pending", "soft_bounce", "hard_bounce", "deleted")},
        "Delivered, page 100": f"{page}delivered&page=100",
        "Delivered, the page in the middle": f"{page}delivered&page={last // 2}",
        "Delivered, the last page": f"{page}delivered&page={last}",
        "Delivered, search for a contact": f"{page}delivered&search={contact_id}",
        "Delivered, search for a number": f"{page}delivered&search=%2B{number[1:]}",
        "Delivered, search that finds nothing": f"{page}delivered&search=nobody",
        "SMS skipped, the last page": f"/campaigns/{LARGE}?skipped=999999",
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
    all_contacts: Annotated[int, typer.Option(help="Contacts of all campaigns.")] = 10_000_000,
    folder: Annotated[
        Path | None, typer.Option(help="Folder for the data, which is kept; by default a temporary one.")
    ] = None,
) -> None:
    """Time each page: the first time, and the median of five more."""
    data = folder or Path(tempfile.mkdtemp(prefix="sendmart-reports-"))
    try:
        paths = DataPaths(data)
        if not paths.published_marts.exists():
            write_marts(paths.published_marts, contacts, all_contacts)
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
