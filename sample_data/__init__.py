"""A sample of the raw logs: a make-believe shop's SMS and MMS campaigns, for a first look and for benchmarks.

`write_sample` is all that others need. Inside: `ids` (clock and ids), `contacts`, `campaigns` (their calendar),
`gateways` (the words of the receipts), `traffic` (what happens day by day), `rows` (events as rows of the logs),
`files` (rows as files, the bad ones among them). Nothing here loads logs or reads a setting or the time of day.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from sample_data.campaigns import Calendar
from sample_data.contacts import Contacts
from sample_data.files import FORMATS, MIXED, pieces, write_file
from sample_data.ids import DAY, FIRST_LOG_DATE, FIRST_MOMENT, HOUR
from sample_data.rows import row_maker
from sample_data.traffic import CURRENCIES, Traffic

__all__ = ["FIRST_LOG_DATE", "FORMATS", "SampleSummary", "write_sample"]

# What one unit is worth in USD at first; currencies of orders that are missing here have no rate.
_FIRST_RATES = {"CAD": 0.7290, "EUR": 1.1740, "GBP": 1.3450}
assert set(_FIRST_RATES) == set(CURRENCIES[1:-1])


@dataclass(frozen=True)
class SampleSummary:
    """What `write_sample` has written. `rows` counts every record of a log, the bad ones of `bad_rows` included."""

    to: Path
    first_log_date: date
    last_log_date: date
    contacts: int
    campaigns: int
    rows: dict[str, int]
    bad_rows: dict[str, int]
    files: int
    bytes: int


def write_sample(
    to: Path, sends: int = 20_000, days: int = 14, seed: int = 1, file_format: str = "mixed"
) -> SampleSummary:
    """Writes sample logs into the landing zone `to`: one file per log and day, from FIRST_LOG_DATE on.

    `sends` is the number of rows of the sends log over all `days`, re-sends and skips included. Bad rows come on top;
    over many months it falls short by well under 1 %, as contacts leave. The other logs follow from it: about 1.9
    receipts per send, a click for every 25. `file_format` is one of FORMATS, or `mixed`: a format for each log.

    The same arguments give the same bytes, as long as numpy, polars and pyarrow are the same versions. Memory grows
    with the largest day and the number of contacts, not with the sum of the days.

    ValueError: `sends` or `days` below 1, a negative `seed`, an unknown format. FileExistsError: one of the logs'
    folders holds files already, and nothing is written (it could be a real landing zone, or an older sample whose rows
    would mix with these). OSError: as the file system raises it.
    """
    to = Path(to)
    if sends < 1 or days < 1 or seed < 0:
        raise ValueError(f"sends and days must be at least 1 and seed at least 0, not {sends}, {days} and {seed}")
    if file_format != "mixed" and file_format not in FORMATS:
        raise ValueError(f"file_format must be mixed or one of {', '.join(FORMATS)}, not {file_format!r}")
    formats = {log: MIXED[log] if file_format == "mixed" else file_format for log in MIXED}
    for log in formats:
        _make_empty_folder(to / log)

    key = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]) >> 8
    rng = np.random.default_rng(seed)
    contacts = Contacts.for_traffic(sends, days, key)
    calendar = Calendar.drawn(sends, days, contacts, rng)
    traffic = Traffic(calendar, contacts, days, seed)
    outbox = traffic.outbox
    outbox.put_frame("campaigns", calendar.log)
    outbox.put_frame("exchange_rates", _exchange_rates(days, rng))
    makers = {log: row_maker(log, calendar, contacts) for log in formats}

    rows, bad_rows = dict.fromkeys(formats, 0), dict.fromkeys(formats, 0)
    size = 0
    for day in range(days):
        traffic.live(day)
        log_date = FIRST_LOG_DATE + timedelta(days=day)
        for number, (log, extension) in enumerate(formats.items()):
            path = to / log / f"{log_date}.{extension}"
            faults = np.random.default_rng([seed, day, number])
            written, bad = write_file(path, log, extension, pieces(log, outbox.take(log, day), makers[log], faults))
            rows[log] += written
            bad_rows[log] += bad
            size += path.stat().st_size
    return SampleSummary(
        to=to,
        first_log_date=FIRST_LOG_DATE,
        last_log_date=FIRST_LOG_DATE + timedelta(days=days - 1),
        contacts=contacts.count,
        campaigns=len(calendar.day),
        rows=rows,
        bad_rows=bad_rows,
        files=days * len(formats),
        bytes=size,
    )


def _make_empty_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # Names with a leading dot or underscore are no log files.
    if found := sorted(path.name for path in folder.iterdir() if not path.name.startswith((".", "_"))):
        raise FileExistsError(f"{folder} holds files already ({found[0]}): a sample is only written into empty folders")


def _exchange_rates(days: int, rng: np.random.Generator) -> pl.DataFrame:
    """The rates of each day, published at four in the afternoon."""
    frames = []
    for currency, first in _FIRST_RATES.items():
        rate = first * np.exp(np.cumsum(rng.normal(0, 0.004, days)))
        logged = FIRST_MOMENT + np.arange(days) * DAY + 16 * HOUR
        frames.append(
            pl.DataFrame({"logged": logged, "currency": [currency] * days, "rate": np.round(rate, 6)}).select(
                "logged",
                rate_date=pl.from_epoch("logged", time_unit="us").dt.date(),
                currency="currency",
                rate="rate",
                # Said outright: with another reporting currency these rates must not be taken for its own.
                base_currency=pl.lit("USD"),
            )
        )
    return pl.concat(frames)
