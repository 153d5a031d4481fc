"""Raw exports, which a source maps to rows: receipts as CSV with semicolons, orders as JSON with an object in each.

Not here: the rows (`stories`), the notations of values (`renderings`), the rules of the logs (`admission`).
"""

import csv
import io
import json
import random
from datetime import date, timedelta
from pathlib import Path

from tests.oracle.records import Cell, Record, Unfit, decompressed
from tests.oracle.renderings import cell_text, compressed, json_value

MAPPINGS = {
    "gateway_export": """
source: gateway_export
description: Reports of a gateway
files: gateway_export/{date}*.csv
format: {type: csv, delimiter: ;}
logs:
  receipts:
    where: Kind <> 'incoming'
    columns:
      message_id: Id
      provider: Network
      provider_status: '"Last state"'
      error_code: Code
      occurred_at: Time
      received_at: Arrived
""",
    "shop_export": """
source: shop_export
description: Orders of a shop
files: shop_export/{date}*.json
format: {type: json}
logs:
  orders:
    where: Kind <> 'draft'
    columns:
      order_id: number
      contact_id: customer ->> '$.id'
      ordered_at: placed
      total: amount
      refunded_amount: refund
      currency: customer ->> '$.pays in'
      status: state
      updated_at: changed
""",
}
SOURCES = {"receipts": "gateway_export", "orders": "shop_export"}
RECEIPT_FIELDS = {
    "message_id": "Id",
    "provider": "Network",
    "provider_status": "Last state",
    "error_code": "Code",
    "occurred_at": "Time",
    "received_at": "Arrived",
}
ORDER_FIELDS = {
    "order_id": "number",
    "ordered_at": "placed",
    "total": "amount",
    "refunded_amount": "refund",
    "status": "state",
    "updated_at": "changed",
}
CUSTOMER_FIELDS = {"contact_id": "id", "currency": "pays in"}


def write_mappings(folder: Path) -> Path:
    """Writes the mapping files, and returns their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, mapping in MAPPINGS.items():
        (folder / f"{name}.yml").write_text(mapping, encoding="utf-8")
    return folder


def write_exports(rng: random.Random, folder: Path, log: str, rows: list[dict], first_day: date) -> None:
    """Distributes rows over three exports. Every fourth record or so is a copy that the mapping does not select."""
    for number in range(3):
        day = first_day + timedelta(days=rng.randint(0, 8))
        extension = rng.choice(("", ".gz", ".zst"))
        records = [(row, kind) for row in rows[number::3] for kind in rng.choice((("",), ("",), ("", "other")))]
        content = _receipts(rng, records) if log == "receipts" else _orders(rng, records)
        kind_of_file = "csv" if log == "receipts" else "json"
        path = folder / SOURCES[log] / f"{day}.{number}.{kind_of_file}{extension}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(compressed(rng, path.name, content))


def _receipts(rng: random.Random, records: list[tuple[dict, str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";", quoting=rng.choice((csv.QUOTE_ALL, csv.QUOTE_MINIMAL)))
    writer.writerow(("Kind", *RECEIPT_FIELDS.values()))
    for row, kind in records:
        values = (cell_text(rng, "receipts", column, row.get(column)) for column in RECEIPT_FIELDS)
        writer.writerow(("incoming" if kind else "report", *values))
    return text.getvalue().encode()


def _orders(rng: random.Random, records: list[tuple[dict, str]]) -> bytes:
    objects = []
    for row, kind in records:
        literals = {column: json_value(rng, "orders", column, row.get(column)) for column in ORDER_FIELDS}
        fields = [f'"{field}": {literals[column]}' for column, field in ORDER_FIELDS.items()]
        customer = {
            field: cell_text(rng, "orders", column, row.get(column)) for column, field in CUSTOMER_FIELDS.items()
        }
        fields += [f'"customer": {json.dumps(customer)}', f'"Kind": "{"draft" if kind else "order"}"']
        rng.shuffle(fields)
        objects.append(f"{{{', '.join(fields)}}}")
    return (f"[{', '.join(objects)}]" if rng.random() < 0.5 else " ".join(objects)).encode()


def read_export(log: str, content: bytes) -> tuple[int, list[Record]]:
    """The number of records of an export, and those that the mapping selects, with the columns of the log."""
    text = decompressed(content).decode()
    if log == "receipts":
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=";")
        raw = [
            (record["Kind"] == "report", {column: record[field] for column, field in RECEIPT_FIELDS.items()})
            for record in reader
        ]
    else:
        raw = [(record["Kind"] == "order", _order(record)) for record in _objects(text)]
    selected = [Record(number, "", cells) for number, (is_selected, cells) in enumerate(raw, 1) if is_selected]
    return len(raw), selected


def _order(record: dict) -> dict[str, Cell]:
    columns: dict[str, str | Unfit | None] = {column: record[field] for column, field in ORDER_FIELDS.items()}
    return columns | {column: record["customer"][field] for column, field in CUSTOMER_FIELDS.items()}


def _objects(text: str) -> list[dict]:
    """The objects of an array, or one after another; numbers as they are written."""
    decoder = json.JSONDecoder(parse_float=str, parse_int=str)
    if text.startswith("["):
        return decoder.decode(text)
    objects, position = [], 0
    while position < len(text):
        found, position = decoder.raw_decode(text, position)
        objects.append(found)
        position += 1
    return objects
