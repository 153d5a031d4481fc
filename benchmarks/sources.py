"""`python -m benchmarks.sources`: the CPU of a load of mapped files beside the same rows in the contract of the log.

Not here: the rest of a refresh (`benchmarks.harness`).
"""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
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


def write(file: Path, records: Iterator[dict[str, object]], kind: str) -> None:
    """Writes records as JSON lines or CSV."""
    file.parent.mkdir(parents=True)
    with file.open("w", encoding="utf-8") as target:
        for number, record in enumerate(records):
            if kind == "json":
                target.write(json.dumps(record) + "\n")
                continue
            if number == 0:
                target.write(",".join(record) + "\n")
            target.write(",".join(str(value) for value in record.values()) + "\n")


def cpu_of_load(folder: Path, mapping: Path | None) -> float:
    """Seconds of CPU of a load of `folder`, the cheapest of three."""
    sources = [read_mapping(mapping)] if mapping else []
    costs = []
    for _ in range(3):
        data = folder / "data"
        shutil.rmtree(data, ignore_errors=True)
        files = scan.scan(folder / "landing", sources=sources).files_of(Log.SENDS)
        paths = DataPaths(data)
        started = time.process_time()
        load(StagingJob(paths, validate), Ledger(paths.ledger), files)
        costs.append(time.process_time() - started)
    return min(costs)


def main(count: Annotated[int, typer.Argument(help="Rows of each file.")] = 300_000) -> None:
    """Prints the CPU of both, and their quotient, for CSV and for JSON lines."""
    for kind, extension in (("csv", "csv"), ("json", "jsonl")):
        with tempfile.TemporaryDirectory(prefix="sendmart-benchmark-") as temporary:
            folder = Path(temporary)
            own, mapped = folder / "own", folder / "mapped"
            write(own / "landing" / "sends" / f"2026-01-05.{extension}", (row for row, _ in rows(count, kind)), kind)
            write(
                mapped / "landing" / "gateway" / f"2026-01-05.{extension}", (raw for _, raw in rows(count, kind)), kind
            )
            mapping = folder / "gateway.yml"
            mapping.write_text(MAPPING.format(kind=kind, extension=extension, **EXPRESSIONS[kind]), encoding="utf-8")
            of_own, of_mapped = cpu_of_load(own, None), cpu_of_load(mapped, mapping)
            print(f"{kind}: {of_own:.2f} s in the contract, {of_mapped:.2f} s mapped: {of_mapped / of_own:.2f}")


if __name__ == "__main__":
    typer.run(main)
