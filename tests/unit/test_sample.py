"""The sample logs: properties that the benchmarks, the tests and the first look rely on."""

import csv
import gzip
import hashlib
import io
import json
import re
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from sample_data import FIRST_LOG_DATE, FORMATS, SampleSummary, write_sample
from sample_data.files import write_file

LOGS = {"campaigns", "sends", "receipts", "clicks", "orders", "unsubscribes", "exchange_rates"}
SENDS, DAYS = 12_000, 6


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> SampleSummary:
    return write_sample(tmp_path_factory.mktemp("mixed"), SENDS, DAYS)


@pytest.fixture(scope="module")
def csv_sample(tmp_path_factory) -> SampleSummary:
    return write_sample(tmp_path_factory.mktemp("csv"), SENDS, DAYS, file_format="csv")


def files(landing: Path) -> list[Path]:
    return sorted(path for path in landing.rglob("*") if path.is_file())


def digests(landing: Path) -> dict[str, str]:
    return {str(path.relative_to(landing)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files(landing)}


def csv_rows(landing: Path, log: str) -> dict[date, list[dict[str, str]]]:
    """The records of a log by log date, without those that have a wrong number of fields or an unclosed quote."""
    records_by_date = {}
    for path in files(landing / log):
        lines = path.read_text("utf-8").split("\n")
        header = next(csv.reader(lines[:1]))
        if log == "campaigns":  # bodies hold line breaks; there are no broken lines
            records = list(csv.reader(io.StringIO("\n".join(lines), newline="")))[1:]
        else:
            records = [next(csv.reader([line])) for line in lines[1:] if line and line.count('"') % 2 == 0]
        records_by_date[date.fromisoformat(path.stem)] = [
            dict(zip(header, record, strict=True)) for record in records if len(record) == len(header)
        ]
    return records_by_date


def test_the_same_arguments_give_the_same_bytes(sample, tmp_path):
    again = write_sample(tmp_path / "again", SENDS, DAYS)
    assert digests(again.to) == digests(sample.to)
    first, second = (write_sample(tmp_path / str(seed), 500, 1, seed=seed) for seed in (1, 2))
    assert digests(first.to).keys() == digests(second.to).keys()
    assert digests(first.to)["sends/2026-01-01.csv.gz"] != digests(second.to)["sends/2026-01-01.csv.gz"]


def test_file_names_follow_the_rules_of_the_landing_zone(sample):
    names = [str(path.relative_to(sample.to)) for path in files(sample.to)]
    name_pattern = re.compile(r"([a-z_]+)/(\d{4}-\d\d-\d\d)\.(csv|csv\.gz|jsonl|jsonl\.gz|parquet)")
    parts = [name_pattern.fullmatch(name).groups() for name in names]
    expected_dates = {str(FIRST_LOG_DATE + timedelta(days=day)) for day in range(DAYS)}
    assert {(log, log_date) for log, log_date, _ in parts} == {
        (log, log_date) for log in LOGS for log_date in expected_dates
    }
    assert {"csv", "csv.gz", "jsonl", "parquet"} <= {extension for _, _, extension in parts}
    assert (sample.files, sample.bytes) == (len(names), sum(path.stat().st_size for path in files(sample.to)))
    assert (sample.first_log_date, sample.last_log_date) == (FIRST_LOG_DATE, FIRST_LOG_DATE + timedelta(days=DAYS - 1))


def test_the_last_log_date_moves_all_files_and_no_draw(sample, tmp_path):
    until = date(2025, 3, 9)
    earlier = write_sample(tmp_path / "one", SENDS, DAYS, until=until)
    assert (earlier.first_log_date, earlier.last_log_date) == (until - timedelta(days=DAYS - 1), until)
    assert digests(earlier.to) == digests(write_sample(tmp_path / "two", SENDS, DAYS, until=until).to)
    sends = pl.read_csv(earlier.to / "sends" / f"{until}.csv.gz", infer_schema=False)
    good = sends.filter(pl.col("sent_at").str.contains("^2025-03"))["sent_at"]
    assert good.str.starts_with(str(until)).all() and len(good) > sends.height * 0.99


def test_the_sample_has_what_the_insights_tell_apart(tmp_path):
    """Costs, countries, a bad day of a gateway, programs that fetch links, messages after an opt-out."""
    days = 12
    landing = write_sample(tmp_path, 24_000, days, file_format="csv").to
    sends = [row for of_day in csv_rows(landing, "sends").values() for row in of_day if is_good_send(row)]
    sent = [row for row in sends if not row["skip_reason"]]
    assert {row["cost_currency"] for row in sent if row["cost"]} == {"USD", "EUR", "GBP", "SEK"}
    assert 0.01 < sum(not row["cost"] for row in sent) / len(sent) < 0.03
    prefixes = ("+1", "+44", "+33", "+353", "+49", "+46", "+61")
    assert all(any(row["mobile_number"].startswith(prefix) for row in sent) for prefix in prefixes)
    rates = csv_rows(landing, "exchange_rates")
    assert [day for day, rows in rates.items() if any(row["currency"] == "SEK" for row in rows)] == list(rates)[4:]

    clicks = [row for of_day in csv_rows(landing, "clicks").values() for row in of_day]
    assert any("WhatsApp" in row["user_agent"] for row in clicks)
    by_message = Counter((row["message_id"], row["clicked_at"]) for row in clicks if "Mozilla" in row["user_agent"])
    assert any(count == 2 for count in by_message.values())

    receipts = [row for of_day in csv_rows(landing, "receipts").values() for row in of_day]
    day_of = {row["message_id"]: row["sent_at"][:10] for row in sent}
    reported, failed = Counter(), Counter()
    for row in receipts:
        if row["provider"] == "twilio" and row["message_id"] in day_of:
            reported[day_of[row["message_id"]]] += row["provider_status"] in ("delivered", "undelivered", "failed")
            failed[day_of[row["message_id"]]] += row["provider_status"] in ("undelivered", "failed")
    shares = [failed[day] / reported[day] for day in sorted(reported)]
    assert shares[days - 4] > 0.2 and max(shares[: days - 4]) < 0.15

    left = {
        row["contact_id"]: row["unsubscribed_at"]
        for of_day in csv_rows(landing, "unsubscribes").values()
        for row in of_day
    }
    assert any(left.get(row["contact_id"], "9") < row["sent_at"][:19] + "Z" for row in sent)


def test_row_counts_follow_from_the_number_of_sends(csv_sample):
    rows = csv_sample.rows
    assert rows["sends"] - csv_sample.bad_rows["sends"] == pytest.approx(SENDS, rel=0.01)
    assert 1.75 < rows["receipts"] / SENDS < 1.95
    assert 0.01 < rows["clicks"] / SENDS < 0.08
    assert rows["campaigns"] >= csv_sample.campaigns >= 3 * DAYS
    assert all(count > 0 for count in rows.values())
    sends = [row for rows_of_day in csv_rows(csv_sample.to, "sends").values() for row in rows_of_day]
    sends_to_contact = Counter((row["campaign_id"], row["contact_id"]) for row in sends)
    assert any(count > 1 for count in sends_to_contact.values())
    assert {row["skip_reason"] for row in sends} - {""} == {
        "SkippedNoContent",
        "SkippedHypersonalization",
        "FailedHypersonalization",
        "ContentTooLong",
    }
    sizes = sorted(Counter(row["campaign_id"] for row in sends).values())
    assert sum(sizes[-len(sizes) // 4 :]) > sum(sizes) / 2  # few large campaigns, many small ones


def test_a_few_receipts_arrive_days_later(csv_sample):
    sent_on = {row["message_id"]: day for day, of_day in csv_rows(csv_sample.to, "sends").items() for row in of_day}
    lateness = Counter()
    for log_date, receipts in csv_rows(csv_sample.to, "receipts").items():
        for row in receipts:
            if row["message_id"] in sent_on and row["message_id"]:
                lateness[(log_date - sent_on[row["message_id"]]).days] += 1
    late = sum(count for days, count in lateness.items() if days >= 1)
    assert min(lateness) == 0 and {1, 2, 3} <= lateness.keys()
    assert 0.01 < late / lateness.total() < 0.05
    receipts = [row for rows in csv_rows(csv_sample.to, "receipts").values() for row in rows]
    assert {row["provider"] for row in receipts} == {
        "twilio",
        "smpp",
        "vonage",
        "infobip",
        "sinch",
        "plivo",
        "aws",
        "messagebird",
        "",
    }
    assert len({tuple(row.values()) for row in receipts}) < len(receipts)  # some arrive twice


@pytest.mark.parametrize("file_format", FORMATS)
def test_bad_rows_are_too_few_to_block_a_publication(file_format, tmp_path):
    write_sample(tmp_path, 5_000, 3, file_format=file_format)
    bad = Counter()
    for path in files(tmp_path / "sends"):
        if file_format == "parquet":
            frame = pl.read_parquet(path)
            count = frame.height
            records = frame.to_dicts()
        else:
            text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            lines = text.decode().splitlines()
            if file_format.startswith("csv"):
                header, lines = lines[0].split(","), lines[1:]
                records = [dict(zip(header, line.split(","), strict=False)) for line in lines]
            else:
                records = [json.loads(line) if line.endswith("}") else {} for line in lines]
            count = len(records)
        bad[path.name] = sum(not is_good_send(record) for record in records)
        assert bad[path.name] < 10 and bad[path.name] <= count / 200
    assert bad.total() > 0


def is_good_send(record: dict) -> bool:
    try:
        sent_at = record["sent_at"]
        moment = sent_at if isinstance(sent_at, datetime) else datetime.fromisoformat(sent_at)
        return (
            all(record[column] for column in ("message_id", "campaign_id", "contact_id"))
            and not record["campaign_id"].startswith('"')
            and re.fullmatch(r"\+[1-9][0-9]{6,14}", record["mobile_number"]) is not None
            and (bool(record["skip_reason"]) or 1 <= int(record["segments"]) <= 255)
            and len(record) == 10
            and moment.year == 2026
        )
    except (KeyError, TypeError, ValueError):
        return False


def test_the_summary_counts_the_bad_rows(csv_sample):
    sends = csv_rows(csv_sample.to, "sends")
    good = sum(is_good_send(row) for of_day in sends.values() for row in of_day)
    assert csv_sample.rows["sends"] - csv_sample.bad_rows["sends"] == good


def test_all_formats_hold_the_same_rows(csv_sample, sample):
    orders = [json.loads(line) for path in files(sample.to / "orders") for line in path.read_text().splitlines()]
    as_csv = [row for of_day in csv_rows(csv_sample.to, "orders").values() for row in of_day]
    assert [(row["order_id"], row["total"]) for row in orders] == [
        (row["order_id"], float(row["total"])) for row in as_csv
    ]
    bodies = [row["body"] for of_day in csv_rows(csv_sample.to, "campaigns").values() for row in of_day]
    assert bodies == [
        json.loads(line)["body"]
        for path in files(sample.to / "campaigns")
        for line in path.read_text("utf-8").splitlines()
    ]


def test_one_currency_of_the_orders_has_no_rate(csv_sample):
    rated = {row["currency"] for of_day in csv_rows(csv_sample.to, "exchange_rates").values() for row in of_day}
    orders = [row for of_day in csv_rows(csv_sample.to, "orders").values() for row in of_day]
    assert len({row["currency"] for row in orders} - rated - {"USD"}) == 1
    assert any(row["refunded_amount"] for row in orders) and any(row["status"] == "cancelled" for row in orders)


@pytest.mark.parametrize("sends", [1, 7, 500])
@pytest.mark.parametrize("days", [1, 3])
def test_small_samples_have_all_rows_and_files(sends, days, tmp_path):
    summary = write_sample(tmp_path, sends, days)
    assert summary.rows["sends"] - summary.bad_rows["sends"] == sends
    assert summary.files == len(LOGS) * days


def test_a_folder_with_files_is_refused_and_unchanged(tmp_path):
    (tmp_path / "sends").mkdir()
    (tmp_path / "sends" / "2026-01-01.csv").write_text("message_id\n")
    with pytest.raises(FileExistsError, match="sends holds files already"):
        write_sample(tmp_path, 10, 1)
    assert [path.name for path in files(tmp_path)] == ["2026-01-01.csv"]


def test_a_killed_write_leaves_no_file(tmp_path):
    def rows():
        yield pl.DataFrame({"contact_id": ["ct_1"]})
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_file(tmp_path / "2026-01-01.csv", "unsubscribes", "csv", rows())
    assert files(tmp_path) == []


@pytest.mark.parametrize("arguments", [{"sends": 0}, {"days": 0}, {"seed": -1}, {"file_format": "xlsx"}])
def test_invalid_arguments_are_refused_before_anything_is_written(arguments, tmp_path):
    with pytest.raises(ValueError):
        write_sample(tmp_path / "landing", **arguments)
    assert not (tmp_path / "landing").exists()
