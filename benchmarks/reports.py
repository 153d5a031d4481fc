"""`python -m benchmarks.reports`: how long the report pages take over a campaign of a million contacts.

The published file is made by SQL to the contracts of the marts: one campaign of a million contacts, sent over a day, among
others of a year. Pages are asked for over HTTP, as a browser does, first of a server that has just begun.

Not here: how long the marts take to build (`harness`).
"""

import shutil
import statistics
import sys
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
from warehouse.config.paths import DataPaths
from warehouse.config.settings import Settings
from warehouse.duckdb_tools.sql import literal

PORT = 8599
TRIES = 5
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
    """A published file with a campaign of so many contacts among so many in all."""
    file.parent.mkdir(parents=True)
    with duckdb.connect() as connection:
        connection.execute(
            f"attach {literal(file)} as published; create schema published.{SCHEMA}; use published.{SCHEMA}"
        )
        for mart in MARTS:
            definition = ", ".join(f"{column.name} {column.sql_type}" for column in columns(mart))
            connection.execute(f"create table {mart} ({definition})")
        of_another = max(1, (all_contacts - contacts) // OTHERS)
        for number in range(OTHERS + 1):
            is_large = number == OTHERS // 2
            campaign_id, of_campaign = (LARGE, contacts) if is_large else (f"cmp_{number:04}", of_another)
            started = f"timestamp '2026-01-01' + interval {number * 43} hour"
            connection.execute(
                f"insert into delivery_status by name select {literal(campaign_id)} as campaign_id,"
                f" 'ct_' || left(md5((n * 7)::varchar), 12) as contact_id,"
                " '+4477' || lpad((n % 100000000)::varchar, 8, '0') as mobile_number,"
                f" {_STATUSES} as delivery_status, 1 as messages_sent, 'msg_{number}_' || n as message_id,"
                f" {started} + to_milliseconds(n * 86) as last_sent_at, last_sent_at + interval 4 second as status_at,"
                " 'twilio' as provider, delivery_status as provider_status, null as error_code"
                f" from range({of_campaign}) as of_n(n)"
            )
            connection.execute(
                "insert into skip_reasons by name"
                f" select {literal(campaign_id)} as campaign_id, 'ct_' || left(md5((n * 11)::varchar), 12) as contact_id,"
                f" 'skipped_{number}_' || n as message_id, '+4478' || lpad(n::varchar, 8, '0') as mobile_number,"
                " if(n % 5 = 0, 'ContentTooLong', 'SkippedHypersonalization') as skip_reason,"
                f" 'In a sentence.' as skip_reason_details, {started} as skipped_at"
                f" from range({of_campaign // 20}) as of_n(n)"
            )
            connection.execute(
                "insert into attributed_orders by name select 'order_' || n as order_id,"
                f" {literal(campaign_id)} as campaign_id, if(n % 9 = 0, 'assisted', 'direct') as attribution,"
                f" 'ct_' || n as contact_id, {started} + to_seconds(n * 37) as ordered_at, ordered_at as clicked_at,"
                " 'click_' || n as click_id, 10 as revenue, 'USD' as currency, 10 as total, 0 as refunded_amount"
                f" from range({of_campaign // 200}) as of_n(n)"
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
    """What is asked for, by what a person would call it."""
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(file)} as published (read_only)")
        of_large = f"published.{SCHEMA}.delivery_status where campaign_id = '{LARGE}' and delivery_status = 'delivered'"
        count, contact_id, number = connection.execute(
            f"select count(*), max(contact_id), max(mobile_number) from {of_large}"
        ).fetchone()
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


def _asked(link: str) -> tuple[float, float, int]:
    """Seconds by the clock and of CPU, and the bytes of the answer."""
    began, worked = time.perf_counter(), time.process_time()
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}{link}") as answer:
        size = len(answer.read())
    return time.perf_counter() - began, time.process_time() - worked, size


def main(
    contacts: Annotated[int, typer.Option(help="Of the large campaign.")] = 1_000_000,
    all_contacts: Annotated[int, typer.Option(help="Of all campaigns.")] = 10_000_000,
    folder: Annotated[Path | None, typer.Option(help="Where to write; kept if it is given.")] = None,
) -> None:
    """Time each page: the first time, and the median of five more."""
    data = folder or Path(tempfile.mkdtemp(prefix="sendmart-reports-"))
    try:
        paths = DataPaths(data)
        if not paths.published_marts.exists():
            write_marts(paths.published_marts, contacts, all_contacts)
        settings = Settings(data=data, threads=2)
        server = uvicorn.Server(
            uvicorn.Config(create_app(settings, paths, lambda _: ""), port=PORT, log_level="error", access_log=False)
        )
        threading.Thread(target=server.run, daemon=True).start()
        while not server.started:
            time.sleep(0.05)
        size = paths.published_marts.stat().st_size / 1e6
        print(f"{datetime.now():%Y-%m-%d}: {contacts:,} contacts of {all_contacts:,}, {size:,.0f} MB\n")
        print("| page | first, s | again, s | CPU again, s | kB |\n|---|--:|--:|--:|--:|")
        for name, link in links(paths.published_marts).items():
            taken = [_asked(link) for _ in range(1 if link.startswith("/contacts.csv") else TRIES + 1)]
            wall, cpu = (statistics.median(column) for column in list(zip(*(taken[1:] or taken), strict=True))[:2])
            print(f"| {name} | {taken[0][0]:.2f} | {wall:.2f} | {cpu:.2f} | {taken[0][2] / 1000:,.0f} |", flush=True)
        server.should_exit = True
    finally:
        if folder is None:
            shutil.rmtree(data)


if __name__ == "__main__":
    sys.exit(typer.run(main))
