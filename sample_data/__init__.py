"""Sample logs: the SMS and MMS campaigns of an invented shop, for a first look and for benchmarks.

`write_sample` is the whole interface. Inside: `ids` (clock and ids), `contacts`, `campaigns` (their calendar), `gateways`
(provider words of receipts), `traffic` (the events of each day), `rows` (events as rows of the logs), `files` (rows as
files, with a few bad ones). It imports nothing of the warehouse.

Not here: loading logs; settings; the time of day, on which no sample depends.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from sample_data.campaigns import Calendar
from sample_data.contacts import Contacts
from sample_data.files import FORMATS, MIXED, slices_with_bad_rows, write_file
from sample_data.ids import DAY, FIRST_LOG_DATE, HOUR, Clock
from sample_data.rows import row_maker
from sample_data.traffic import CURRENCIES, Traffic

__all__ = ["FIRST_LOG_DATE", "FORMATS", "SampleSummary", "write_sample"]

# The first rate of each currency to USD. Orders occur in one more currency, which has no rate.
_FIRST_RATES = {"CAD": 0.7290, "EUR": 1.1740, "GBP": 1.3450, "SEK": 0.1065}
# The first rate of this currency comes after a third of the period, at most after a month. What was spent and earned in it
# before cannot be converted.
_LATE_CURRENCY = "SEK"
assert set(_FIRST_RATES) == set(CURRENCIES[1:-1])


@dataclass(frozen=True)
class SampleSummary:
    """The result of `write_sample`. `rows` counts every record of a log, bad ones included; `bad_rows` these only."""

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
    to: Path, sends: int = 20_000, days: int = 14, seed: int = 1, file_format: str = "mixed", until: date | None = None
) -> SampleSummary:
    """Writes sample logs into the landing zone `to`: one file per log and day. `until` is the last log date; without it, the
    first is FIRST_LOG_DATE.

    `sends` is the number of rows of the sends log on all `days` together, with re-sends and skipped contacts, without bad
    rows. Over many months there are up to 1 % fewer, because contacts unsubscribe. The other logs follow: about 1.9
    receipts per send, and a click for every 18 sends. `file_format` is one of FORMATS, or `mixed`: a format for each log.

    The same arguments and the same versions of numpy, polars and pyarrow give the same bytes. Memory grows with the largest
    day and the number of contacts, not with the number of days.

    Raises:
        ValueError: `sends` or `days` is below 1, `seed` is negative, or the format is unknown.
        FileExistsError: the folder of a log has files. Nothing is written: it may be a real landing zone, or an earlier
            sample, whose rows would mix with these.
        OSError: from the file system.
    """
    to = Path(to)
    if sends < 1 or days < 1 or seed < 0:
        raise ValueError(f"sends and days must be at least 1 and seed at least 0, not {sends}, {days} and {seed}")
    if file_format != "mixed" and file_format not in FORMATS:
        raise ValueError(f"file_format must be mixed or one of {', '.join(FORMATS)}, not {file_format!r}")
    formats = {log: MIXED[log] if file_format == "mixed" else file_format for log in MIXED}
    clock = Clock(until - timedelta(days=days - 1) if until else FIRST_LOG_DATE)
    for log in formats:
        _make_empty_folder(to / log)

    key = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]) >> 8
    rng = np.random.default_rng(seed)
    contacts = Contacts.for_traffic(sends, days, key)
    calendar = Calendar.generate(clock, sends, days, contacts, rng)
    traffic = Traffic(calendar, contacts, days, seed)
    outbox = traffic.outbox
    outbox.put_frame("campaigns", calendar.log)
    outbox.put_frame("exchange_rates", _exchange_rates(clock, days, rng))
    makers = {log: row_maker(log, calendar, contacts) for log in formats}

    rows, bad_rows = dict.fromkeys(formats, 0), dict.fromkeys(formats, 0)
    size = 0
    for day in range(days):
        traffic.simulate_day(day)
        log_date = clock.date_of(day)
        for number, (log, extension) in enumerate(formats.items()):
            path = to / log / f"{log_date}.{extension}"
            faults = np.random.default_rng([seed, day, number])
            written, bad = write_file(
                path, log, extension, slices_with_bad_rows(log, outbox.take(log, day), makers[log], faults)
            )
            rows[log] += written
            bad_rows[log] += bad
            size += path.stat().st_size
    return SampleSummary(
        to=to,
        first_log_date=clock.first_log_date,
        last_log_date=clock.date_of(days - 1),
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
    if names := sorted(path.name for path in folder.iterdir() if not path.name.startswith((".", "_"))):
        raise FileExistsError(f"{folder} holds files already ({names[0]}): a sample is only written into empty folders")


def _exchange_rates(clock: Clock, days: int, rng: np.random.Generator) -> pl.DataFrame:
    """One rate per currency and day, logged at 16:00 UTC: the columns of the log, and `logged` in microseconds."""
    frames = []
    for currency, first in _FIRST_RATES.items():
        rate = first * np.exp(np.cumsum(rng.normal(0, 0.004, days)))
        logged = clock.first_moment + np.arange(days) * DAY + 16 * HOUR
        frames.append(
            pl.DataFrame({"logged": logged, "currency": [currency] * days, "rate": np.round(rate, 6)}).select(
                "logged",
                rate_date=pl.from_epoch("logged", time_unit="us").dt.date(),
                currency="currency",
                rate="rate",
                # Explicit: under another reporting currency, these rates do not apply.
                base_currency=pl.lit("USD"),
            )[min(days // 3, 31) if currency == _LATE_CURRENCY else 0 :]
        )
    return pl.concat(frames)
