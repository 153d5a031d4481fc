"""Landing zones of an odd shape: one large day, thousands of small files or campaigns, one busy contact, one order after
thousands of clicks.

A zone is a history and the drops that follow it. If only the layout is odd, it has the rows of an ordinary sample. Odd rows
are made in SQL, the same in every run.

Not here: an ordinary sample (`samples`), what is measured (`shapes`).
"""

import csv
import gzip
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from pathlib import Path

import duckdb

from benchmarks.samples import Sample, write_history
from models.enums import Log
from sample_data import FIRST_LOG_DATE

DAYS = 37
ROWS_PER_SEND = 2.6
"""The least number of rows of all logs that the sample has for each send."""

DAYS_BEFORE_THE_LARGE_ONE = 5
ROWS_PER_SMALL_FILE = 100
MESSAGES_PER_CAMPAIGN = 7


@dataclass(frozen=True)
class Drop:
    """Files that arrive together, laid out like a landing zone. The build after a large drop is compared with a full build of
    the ordinary sample, not with its night.
    """

    name: str
    folder: Path
    is_large: bool = False


@dataclass(frozen=True)
class Zone:
    """A landing zone and the drops that follow. `same_rows` is a zone with all their rows as csv.gz files, for the baseline;
    None if the landing zone itself is one after all drops.
    """

    landing: Path
    drops: list[Drop]
    same_rows: Path | None = None
    counts: dict[str, int] = field(default_factory=dict)

    def drop_files(self, drop: Drop, *, keep: bool) -> None:
        """Moves the files of a drop into the landing zone, or copies them."""
        shutil.copytree(drop.folder, self.landing, dirs_exist_ok=True)
        if not keep:
            shutil.rmtree(drop.folder)


@dataclass(frozen=True)
class Shape:
    """An odd shape. `write` writes its zone, given a folder, the ordinary sample with as many rows, and the share of the full
    size.
    """

    name: str
    description: str
    rows: int
    write: Callable[[Path, Sample, float], Zone]


def ordinary_zone(folder: Path, rows: int) -> Sample:
    """An ordinary sample with about this number of rows."""
    return write_history(folder, max(round(rows / ROWS_PER_SEND), 1_000), DAYS)


# --- an ordinary sample, laid out oddly


def _large_day(folder: Path, ordinary: Sample, scale: float) -> Zone:
    """A short history, and then all other rows on one day, in one file per log."""
    landing, drop, whole = folder / "landing", folder / "drop", _whole(folder, ordinary)
    for log in Log:
        files = sorted((whole / log).iterdir())
        (landing / log).mkdir(parents=True)
        (drop / log).mkdir(parents=True)
        for file in files[:DAYS_BEFORE_THE_LARGE_ONE]:
            shutil.copy(file, landing / log)
        rest = files[DAYS_BEFORE_THE_LARGE_ONE:]
        with gzip.open(drop / log / rest[-1].name, "wb", compresslevel=1) as to:
            for number, file in enumerate(rest):
                with gzip.open(file, "rb") as source:
                    header = source.readline()
                    if not number:
                        to.write(header)
                    shutil.copyfileobj(source, to, 1 << 20)
    return Zone(landing, [Drop("the large day", drop, is_large=True)], whole)


def _small_files(folder: Path, ordinary: Sample, scale: float) -> Zone:
    """All rows on one day in files of a hundred rows, csv.gz and JSON lines in turn. The first file lacks half of its rows;
    later it is dropped again in full, and an ordinary night follows.
    """
    landing, again, whole = folder / "landing", folder / "again", folder / "whole"
    shutil.copytree(ordinary.landing, whole)
    written = 0
    for log in Log:
        (landing / log).mkdir(parents=True)
        header, lines = _lines(sorted((ordinary.landing / log).iterdir()))
        # A record of campaigns may span lines: they stay in one file.
        chunk_rows = None if log == Log.CAMPAIGNS else ROWS_PER_SMALL_FILE
        number = 0
        while chunk := list(islice(lines, chunk_rows)):
            _write_small_file(landing / log / _small_name(number), header, chunk)
            number += 1
        written += number
    (again / Log.SENDS).mkdir(parents=True)
    halved = landing / Log.SENDS / _small_name(0)
    halved = halved.with_name(halved.name + ".csv.gz")
    shutil.copy(halved, again / Log.SENDS)
    header, lines = _lines([halved])
    rows = list(lines)
    _write_small_file(halved.with_name(halved.name.removesuffix(".csv.gz")), header, rows[: len(rows) // 2])
    night = folder / "night"
    shutil.copytree(ordinary.night, night)
    shutil.copytree(ordinary.night, whole, dirs_exist_ok=True)
    drops = [Drop("one of the small files again", again), Drop("an ordinary night", night)]
    return Zone(landing, drops, whole, {"files": written})


def _small_name(number: int) -> str:
    """The name of a small file without its extension."""
    return f"{FIRST_LOG_DATE}.{number:06}"


def _lines(files: list[Path]) -> tuple[bytes, Iterator[bytes]]:
    """The header of csv.gz files that share it, and their other lines."""
    with gzip.open(files[0], "rb") as source:
        header = source.readline()

    def lines() -> Iterator[bytes]:
        for file in files:
            with gzip.open(file, "rb") as source:
                source.readline()
                yield from source

    return header, lines()


def _write_small_file(path: Path, header: bytes, lines: Iterable[bytes]) -> None:
    """Writes csv.gz for even numbers, JSON lines for odd ones. A broken record stays broken in either format."""
    if int(path.name.rpartition(".")[2]) % 2 == 0:
        with gzip.open(path.with_name(f"{path.name}.csv.gz"), "wb", compresslevel=1) as to:
            to.write(header)
            to.writelines(lines)
        return
    names = header.decode().strip().split(",")
    with path.with_name(f"{path.name}.jsonl").open("wb") as to:
        for line in lines:
            fields = next(csv.reader([line.decode()]))
            if len(fields) == len(names):
                to.write(json.dumps(dict(zip(names, fields, strict=True)), ensure_ascii=False).encode() + b"\n")
            else:
                to.write(line)


def _whole(folder: Path, ordinary: Sample) -> Path:
    """An ordinary sample, history and night."""
    whole = folder / "whole"
    shutil.copytree(ordinary.landing, whole)
    shutil.copytree(ordinary.night, whole, dirs_exist_ok=True)
    return whole


# --- odd rows


_FINAL_STATUS = """
    case
        when roll < 920 then ['DELIVRD', '000']
        when roll < 960 then ['UNDELIV', '001']
        when roll < 980 then ['EXPIRED', '003']
        when roll < 990 then ['DELETED', '005']
    end
"""
"""The final receipt for a `roll` from 0 to 999; null if none comes."""

_FROM_MESSAGES = {
    Log.SENDS: """
        select
            date_trunc('day', sent_at) as logged, message_id, campaign_id, contact_id, mobile_number, sent_at,
            1 + roll % 3 as segments, null as skip_reason, 'smpp' as provider, '0.0075' as cost, 'USD' as cost_currency
        from messages
    """,
    Log.RECEIPTS: f"""
        select
            date_trunc('day', occurred_at) as logged, message_id, provider, report[1] as provider_status,
            report[2] as error_code, occurred_at, occurred_at + interval 1 second as received_at
        from (
            select message_id, 'smpp' as provider, ['ACCEPTD', null] as report, sent_at + interval 2 second as occurred_at
            from messages where roll % 10 <> 0
            union all
            select message_id, null, {_FINAL_STATUS} as report, sent_at + to_seconds(10 + roll % 100) from messages
        )
        where report is not null
    """,
}

_MESSAGES_OF_CAMPAIGNS = """
    create or replace temp table messages as
    select
        printf('msg_%s_%010d', $kind, number) as message_id,
        printf('cmp_many_%07d', number % $campaigns) as campaign_id,
        printf('con_many_%09d', hash(number, $kind) % $contacts) as contact_id,
        printf('+1800%08d', hash(number, $kind) % $contacts) as mobile_number,
        -- A campaign takes minutes; the campaigns follow one another over all days.
        $first::timestamp + to_seconds(
            cast((number % $campaigns) * (86400.0 * $days / $campaigns) + number // $campaigns * 60 as bigint)
        ) as sent_at,
        cast(hash(number, 'roll') % 1000 as bigint) as roll
    from range($messages) as numbers (number)
"""

_EVENTS_OF_MESSAGES = {
    Log.CLICKS: """
        select
            date_trunc('day', clicked_at) as logged, message_id || '_click' as click_id, campaign_id, contact_id,
            message_id, 'https://shop.example/' as url, clicked_at, null as user_agent
        from (select *, sent_at + to_minutes(3 + roll % 600) as clicked_at from messages where roll % 25 = 0)
    """,
    Log.ORDERS: """
        select
            date_trunc('day', ordered_at) as logged, message_id || '_order' as order_id, contact_id, ordered_at,
            10 + roll / 10 as total, null as refunded_amount, if(roll % 3 = 0, 'EUR', 'USD') as currency,
            'placed' as status, ordered_at as updated_at
        from (select *, sent_at + to_minutes(30 + roll * 7) as ordered_at from messages where roll % 125 = 0)
    """,
    Log.UNSUBSCRIBES: """
        select
            date_trunc('day', sent_at) as logged, contact_id, sent_at + interval 1 hour as unsubscribed_at,
            mobile_number, 'reply' as source
        from messages where roll % 200 = 7
    """,
}

_CAMPAIGNS = """
    select
        min(date_trunc('day', sent_at)) as logged, campaign_id, $prefix || 'Campaign, "' || campaign_id || '"' as campaign_name,
        'SMS' as campaign_type, 'Have a look' as body, null as media_url, 'SHOP' as sender, null as max_segments,
        'crm@shop.example' as modified_by, min(sent_at) as modified_at
    from messages
    group by campaign_id
"""

_RATES = """
    select date_trunc('day', $first::timestamp) as logged, cast($first as date) as rate_date, 'EUR' as currency,
        '1.174' as rate, 'USD' as base_currency
"""


def _campaigns(folder: Path, ordinary: Sample, scale: float) -> Zone:
    """50,000 campaigns of a few messages each; later one more message and a new name for each of them."""
    landing, drop, campaigns = folder / "landing", folder / "drop", max(round(50_000 * scale), 1)
    after = ordinary_day(DAYS)
    with duckdb.connect(config={"threads": 1}) as connection:
        for kind, zone_folder, messages, first, days, prefix in (
            ("before", landing, campaigns * MESSAGES_PER_CAMPAIGN, ordinary_day(0), DAYS, ""),
            ("after", drop, campaigns, after, 1 - 2 / 24, "Renamed "),
        ):
            connection.execute(
                _MESSAGES_OF_CAMPAIGNS,
                {
                    "kind": kind, "campaigns": campaigns, "contacts": campaigns * 3, "messages": messages,
                    "first": first, "days": days,
                },
            )  # fmt: skip
            _write(connection, zone_folder, {**_FROM_MESSAGES, **_EVENTS_OF_MESSAGES})
            _write(connection, zone_folder, {Log.CAMPAIGNS: _CAMPAIGNS}, prefix=prefix)
            _write(connection, zone_folder, {Log.EXCHANGE_RATES: _RATES}, first=first)
    return Zone(landing, [Drop("a night that touches every campaign", drop)], counts={"campaigns": campaigns})


_MESSAGES_OF_CONTACT = """
    create or replace temp table messages as
    select
        printf('msg_busy_%s_%08d', $kind, number) as message_id,
        printf('cmp_busy_%03d', number % 500) as campaign_id,
        'con_busy' as contact_id,
        '+18005550199' as mobile_number,
        $first::timestamp + to_milliseconds(cast(number * (86400e3 * $days / $messages) as bigint)) as sent_at,
        cast(hash(number, 'busy') % 1000 as bigint) as roll
    from range($messages) as numbers (number)
"""


def _contact(folder: Path, ordinary: Sample, scale: float) -> Zone:
    """A contact with 100,000 messages among ordinary ones; later 1,000 more, with their receipts, clicks and orders."""
    messages = max(round(100_000 * scale), 1)
    rest = ordinary_zone(folder / "rest", round(_ordinary_rows(scale) - messages * ROWS_PER_SEND))
    landing, drop = rest.landing, rest.night
    with duckdb.connect(config={"threads": 1}) as connection:
        for kind, zone_folder, count, first, days in (
            ("before", landing, messages, ordinary_day(0), DAYS),
            ("after", drop, max(messages // 100, 1), ordinary_day(DAYS), 1),
        ):
            connection.execute(_MESSAGES_OF_CONTACT, {"kind": kind, "messages": count, "first": first, "days": days})
            _write(connection, zone_folder, {**_FROM_MESSAGES, **_EVENTS_OF_MESSAGES}, part=f"busy-{kind}")
    return Zone(landing, [Drop("a night with more of that contact", drop)], counts={"messages": messages})


CLICKERS = 4
ORDERS_EACH = 10

_CLICKS_BEFORE_ORDERS = """
    select
        date_trunc('day', clicked_at) as logged, printf('clk_%s_%d_%08d', $kind, clicker, number) as click_id,
        -- Half of the contacts click the same campaigns many times, the other half no campaign twice.
        printf('cmp_click_%d', if(clicker % 2 = 0, number % 200, number)) as campaign_id,
        printf('con_click_%d', clicker) as contact_id, null as message_id, 'https://shop.example/' as url, clicked_at,
        null as user_agent
    from (
        select *, $first::timestamp + to_milliseconds(cast(number * (86400e3 * 4 / $clicks) as bigint)) as clicked_at
        from range($clicks) as numbers (number), range($clickers) as clickers (clicker)
    )
"""

_ORDERS_AFTER_CLICKS = """
    select
        date_trunc('day', ordered_at) as logged, printf('ord_click_%d_%d', clicker, number) as order_id,
        printf('con_click_%d', clicker) as contact_id, ordered_at, 100 + number as total, null as refunded_amount,
        'USD' as currency, 'placed' as status, ordered_at as updated_at
    from (
        select *, $first::timestamp + interval 4 day + to_minutes(number) as ordered_at
        from range($orders) as numbers (number), range($clickers) as clickers (clicker)
    )
"""


def _order(folder: Path, ordinary: Sample, scale: float) -> Zone:
    """Ten orders of each of four contacts, with 10,000 clicks in their window; later 100 late clicks and one more order."""
    clicks = max(round(10_000 * scale), 1)
    rest = ordinary_zone(folder / "rest", round(_ordinary_rows(scale) - clicks * CLICKERS))
    first = ordinary_day(10)
    with duckdb.connect(config={"threads": 1}) as connection:
        for kind, zone_folder, count, orders, part in (
            ("before", rest.landing, clicks, ORDERS_EACH, "before"),
            ("late", rest.night, max(clicks // 100, 1), ORDERS_EACH + 1, "late"),
        ):
            parameters = {"kind": kind, "clicks": count, "first": first, "clickers": CLICKERS}
            _write(connection, zone_folder, {Log.CLICKS: _CLICKS_BEFORE_ORDERS}, part=part, **parameters)
            parameters = {"orders": orders, "first": first, "clickers": CLICKERS}
            _write(connection, zone_folder, {Log.ORDERS: _ORDERS_AFTER_CLICKS}, part=part, **parameters)
    drops = [Drop("a night with late clicks before those orders", rest.night)]
    return Zone(rest.landing, drops, counts={"clicks": clicks * CLICKERS})


def ordinary_day(number: int) -> str:
    """The date of a day of the sample, as text."""
    return (FIRST_LOG_DATE + timedelta(days=number)).isoformat()


def _ordinary_rows(scale: float) -> float:
    return 1_000_000 * scale


def _write(
    connection: duckdb.DuckDBPyConnection, landing: Path, logs: dict[Log, str], part: str = "", **parameters: object
) -> None:
    """Writes the rows of each log's query as csv.gz, one file for each day in its column `logged`."""
    landing.mkdir(parents=True, exist_ok=True)
    for log, query in logs.items():
        temp_path = landing.with_name(f".{landing.name}-{log}")
        connection.execute(
            f"copy (select * replace (strftime(logged, '%Y-%m-%d') as logged) from ({query}))"
            f" to '{temp_path}' (format csv, header, compression gzip, partition_by (logged), overwrite)",
            parameters or None,
        )
        (landing / log).mkdir(parents=True, exist_ok=True)
        for folder in sorted(temp_path.iterdir()):
            date = folder.name.removeprefix("logged=")
            (file,) = folder.iterdir()
            file.rename(landing / log / (f"{date}.{part}.csv.gz" if part else f"{date}.csv.gz"))
        shutil.rmtree(temp_path)


SHAPES = (
    Shape("large-day", "one landing day of 10 million rows, after five ordinary ones", 10_000_000, _large_day),
    Shape("small-files", "10,000 small files in a day", 1_000_000, _small_files),
    Shape("campaigns", "50,000 campaigns", 1_000_000, _campaigns),
    Shape("contact", "a contact with 100,000 messages", 1_000_000, _contact),
    Shape("order", "orders with 10,000 clicks in their window", 1_000_000, _order),
)
