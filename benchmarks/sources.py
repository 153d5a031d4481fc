"""`python -m benchmarks.sources`: the CPU of a load of mapped files beside the same rows in the contract of the log, and of
JSON objects one after another beside JSON lines.

Not here: the rest of a refresh (`benchmarks.harness`).
"""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from models.enums import Log
from quality.admission import validate
from warehouse.config import DataPaths
from warehouse.ingest.load import load
from warehouse.ingest.sources import read_mapping
from warehouse.ingest.staging import StagingJob
from warehouse.landing import scan
from warehouse.ledger import Ledger

MAPPING = """
source: gateway
description: the rows of the log sends, under other names
files: gateway/{{date}}.{extension}
format: {{type: {kind}}}
logs:
  sends:
    where: direction like 'outbound%' and status not in ('canceled', 'scheduled')
    columns:
      message_id: sid
      campaign_id: {campaign}
      contact_id: {contact}
      mobile_number: e164("to")
      sent_at: date_sent
      segments: num_segments
      cost: abs_decimal(price)
      cost_currency: "'USD'"
      provider: "'twilio'"
"""

EXPRESSIONS = {
    "csv": {"campaign": "campaign", "contact": "contact"},
    "json": {"campaign": "tags ->> '$.campaign'", "contact": "tags ->> '$.contact'"},
}


def rows(count: int, kind: str) -> Iterator[tuple[dict[str, object], dict[str, object]]]:
    """So many rows: as the log has them, and as raw records, in JSON with nested objects."""
    for number in range(count):
        sent_at = f"2026-01-05T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z"
        row = {
            "message_id": f"SM{number:032x}", "campaign_id": f"c{number % 50}", "contact_id": f"k{number % 90_000}",
            "mobile_number": f"+1415{number % 9_000_000:07}", "sent_at": sent_at, "segments": "1", "provider": "twilio",
            "cost": "0.0075", "cost_currency": "USD",
        }  # fmt: skip
        tags = {"campaign": row["campaign_id"], "contact": row["contact_id"]}
        record = {
            "sid": row["message_id"], "direction": "outbound-api", "status": "delivered", "price": "-0.0075",
            "to": str(row["mobile_number"])[1:], "date_sent": sent_at, "num_segments": "1",
            **({"tags": tags} if kind == "json" else tags),
        }  # fmt: skip
        yield row, record


def write(file: Path, records: Iterator[dict[str, object]], kind: str, *, line_end: str = "\n") -> None:
    """Writes records as JSON objects or CSV."""
    file.parent.mkdir(parents=True)
    with file.open("w", encoding="utf-8") as target:
        for number, record in enumerate(records):
            if kind == "json":
                target.write(json.dumps(record) + line_end)
                continue
            if number == 0:
                target.write(",".join(record) + "\n")
            target.write(",".join(str(value) for value in record.values()) + "\n")


def cpu_of_load(folder: Path) -> float:
    """Seconds of CPU of a load of `folder`, whose mapping file, if it has one, maps the files."""
    mapping = folder / "gateway.yml"
    sources = [read_mapping(mapping)] if mapping.exists() else []
    data = folder / "data"
    shutil.rmtree(data, ignore_errors=True)
    files = scan.scan(folder / "landing", sources=sources).files_of(Log.SENDS)
    paths = DataPaths(data)
    started = time.process_time()
    load(StagingJob(paths, validate), Ledger(paths.ledger), files)
    return time.process_time() - started


def write_landings(folder: Path, count: int) -> dict[str, tuple[Path, Path]]:
    """Writes each pair of landing zones with the same rows, by what the second has: the first is in the contract."""
    pairs: dict[str, tuple[Path, Path]] = {}
    for kind, extension, name in (("csv", "csv", "mapped CSV"), ("json", "jsonl", "mapped JSON lines, nested")):
        own, mapped = folder / f"own-{kind}", folder / f"mapped-{kind}"
        write(own / "landing" / "sends" / f"2026-01-05.{extension}", (row for row, _ in rows(count, kind)), kind)
        raw = (record for _, record in rows(count, kind))
        write(mapped / "landing" / "gateway" / f"2026-01-05.{extension}", raw, kind)
        mapping = MAPPING.format(kind=kind, extension=extension, **EXPRESSIONS[kind])
        (mapped / "gateway.yml").write_text(mapping, encoding="utf-8")
        pairs[name] = own, mapped
    one_line = folder / "one-line"
    sends = (row for row, _ in rows(count, "json"))
    write(one_line / "landing" / "sends" / "2026-01-05.json", sends, "json", line_end="")
    return pairs | {"JSON objects on one line": (folder / "own-json", one_line)}


def main(
    count: Annotated[int, typer.Argument(help="Rows of each file.")] = 300_000,
    rounds: Annotated[int, typer.Option(min=1, help="Number of loads of each file.")] = 5,
) -> None:
    """Prints the medians of the CPU of both, and of their quotient in a round; in CSV and JSON lines, in turn."""
    with tempfile.TemporaryDirectory(prefix="sendmart-benchmark-") as temporary:
        print("| file | rows | in the contract, CPU s | CPU s | CPU ratio | range |\n|---|--:|--:|--:|--:|---|")
        for name, folders in write_landings(Path(temporary), count).items():
            costs = [[cpu_of_load(folder) for folder in folders] for _ in range(rounds + 1)][1:]
            ratios = sorted(other / own for own, other in costs)
            print(
                f"| {name} | {count:,} | {median(own for own, _ in costs):.2f} | {median(other for _, other in costs):.2f}"
                f" | {median(ratios):.2f} | {ratios[0]:.2f} to {ratios[-1]:.2f} |"
            )


if __name__ == "__main__":
    typer.run(main)
