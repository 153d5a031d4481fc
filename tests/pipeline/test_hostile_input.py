"""Names that are commands to somebody, and numbers where they do not belong: one refresh of them, with numbers masked.

They come out as they went in, reach no shell, path or SQL as text, and no number is seen where people and tools read.
"""

import csv
import hmac
import json
import re
import string
import subprocess
from dataclasses import dataclass
from pathlib import Path

import duckdb
import openpyxl
import pytest

from models.masking import masked_number
from orchestration import stages
from orchestration.stages import AppContext
from tests.running import environment, environment_of, mart_rows, rejected_rows, sendmart
from tests.unit.test_exports import spelled_out
from warehouse.config.settings import PROJECT, load_settings
from warehouse.explain.explainer import Explainer
from warehouse.export import FileFormat
from warehouse.export.exports import read_description

NAMES = [
    *("../../x", "'; drop table marts.campaigns; --", '"; drop schema marts cascade; --', "=cmd()", "@SUM(1)", "+1"),
    *("{{ 7*7 }}", "{% raw %}", "%(x)s", "$(touch x)", "`touch x`", "; touch x", "line\nbreak", "tab\tbed", "📱"),
    *("[red]x[/red]", "<script>alert(1)</script>", "\x1b[31mred", "a\u202eb", "null", "1e3", "x,y", "\\", "*", "?"),
]
NUMBERS = {name: f"+4479111222{number:02}" for number, name in enumerate(NAMES)}
ELSEWHERE = ["+447911133301", "+44 7911 133302", "00447911133303"]
"""Numbers in broken rows, unknown columns, names of campaigns and of files that are ignored."""

IN_IDS = "+447911133304"

FILE = """it's $(touch x); "q" [red] {{ 7*7 }} %s.jsonl"""

SAFE = f"{string.ascii_letters}{string.digits}-_.="


@dataclass(frozen=True)
class Hostile:
    folder: Path
    variables: dict[str, str]
    run: subprocess.CompletedProcess[str]

    @property
    def data(self) -> Path:
        return self.folder / "data"


def _write(folder: Path, log: str, rows: list[dict], name: str = FILE) -> None:
    path = folder / log / "2026-01-05"
    path.mkdir(parents=True, exist_ok=True)
    (path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def _write_ids_and_words_with_numbers(landing: Path) -> None:
    """A message, clicks and orders whose ids hold a number, as the words of the provider do."""
    key = f"batch:{IN_IDS}"
    of = {"campaign_id": "n", "contact_id": "n"}
    send = {**of, "message_id": key, "mobile_number": IN_IDS, "sent_at": "2026-01-05T10:00:00Z", "segments": 1}
    receipt = {"message_id": key, "provider": "twilio", "provider_status": "failed", "occurred_at": send["sent_at"]}
    words = f"no route to {IN_IDS}"
    unmapped = receipt | {"provider": words, "provider_status": words}
    click = {**of, "click_id": key, "clicked_at": "2026-01-05T10:02:00Z"}
    order = {"contact_id": "n", "ordered_at": "2026-01-05T10:03:00Z", "updated_at": "2026-01-05T10:03:00Z"}
    order |= {"order_id": key, "total": "1", "currency": "USD", "status": "placed"}
    _write(landing, "sends", [send], "n.jsonl")
    _write(landing, "receipts", [receipt | {"error_code": words}, unmapped | {"error_code": words}], "n.jsonl")
    _write(landing, "clicks", [click], "n.jsonl")
    _write(landing, "orders", [order, order | {"order_id": f"{key}:2", "currency": "XAU"}], "n.jsonl")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Hostile:
    folder = tmp_path_factory.mktemp("hostile")
    landing = folder / "landing"
    at = {name: f"2026-01-05T10:00:{number:02}Z" for number, name in enumerate(NAMES)}
    ids = {name: {"campaign_id": name, "contact_id": name, "message_id": name} for name in NAMES}
    edit = {"campaign_type": "SMS", "modified_by": "ann", "modified_at": "2026-01-01T00:00Z"}
    _write(landing, "campaigns", [{**edit, "campaign_id": name, "campaign_name": name, "body": name} for name in NAMES])
    _write(landing, "campaigns", [{**edit, "campaign_id": "n", "campaign_name": f"call {ELSEWHERE[0]}"}], "n.jsonl")
    sends = [{**ids[name], "mobile_number": NUMBERS[name], "sent_at": at[name], "segments": 1} for name in NAMES]
    broken = [f"{{{ELSEWHERE[0]}", json.dumps(sends[0] | {"mobile_number": ELSEWHERE[1], ELSEWHERE[2]: 1})]
    _write(landing, "sends", sends)
    (landing / "sends" / "2026-01-05" / "broken.jsonl").write_text(
        "\n".join([*broken, json.dumps(sends[0] | {ELSEWHERE[0]: 1})])
    )
    (landing / "sends" / f"{ELSEWHERE[0]}.txt").write_text("")
    _write(landing, "receipts", [{"message_id": n, "provider_status": n, "occurred_at": at[n]} for n in NAMES])
    _write_ids_and_words_with_numbers(landing)
    _write(landing, "clicks", [{**ids[name], "click_id": name, "clicked_at": at[name], "url": name} for name in NAMES])
    order = {"total": "1", "currency": "USD", "status": "placed"}
    moments = {name: {"ordered_at": at[name], "updated_at": at[name]} for name in NAMES}
    _write(landing, "orders", [{**order, **moments[n], "order_id": n, "contact_id": n} for n in NAMES])
    _write(landing, "unsubscribes", [{"contact_id": n, "unsubscribed_at": at[n], "source": n} for n in NAMES])
    row = {"contact_id": "n", "unsubscribed_at": "2026-01-05T11:00:00Z", "source": f"STOP, it is {ELSEWHERE[1]}"}
    _write(landing, "unsubscribes", [row], "words.jsonl")
    variables = environment_of(folder / "data", landing, max_rejected_share="1", mask_phone_numbers="true")
    return Hostile(folder, variables, sendmart(variables, "refresh"))


def test_hostile_text_is_published_unchanged(hostile: Hostile) -> None:
    assert hostile.run.returncode == 0, hostile.run.stdout + hostile.run.stderr
    marts = hostile.data / "published" / "sendmart.duckdb"
    for mart, column in (
        *(
            ("campaign_metrics", "campaign_id"),
            ("campaign_metrics", "campaign_name"),
            ("delivery_status", "contact_id"),
        ),
        *(
            ("attributed_orders", "order_id"),
            ("attributed_orders", "campaign_id"),
            ("attributed_unsubscribes", "source"),
        ),
    ):
        values = sorted(
            row[column] for row in mart_rows(marts, mart) if "n" not in (row.get("contact_id"), row.get("campaign_id"))
        )
        assert values == sorted(NAMES), (mart, column)
    assert {
        row["provider_status"] for row in mart_rows(marts, "unmapped_receipts") if row["error_code"] is None
    } <= set(NAMES)


def test_hostile_text_runs_nothing_and_writes_no_other_file(hostile: Hostile) -> None:
    assert {path.name for path in hostile.folder.iterdir()} == {"data", "landing"}
    for folder in (hostile.folder, PROJECT, PROJECT.parent, Path.cwd()):
        assert not (folder / "x").exists()
    assert not [file for file in hostile.data.rglob("*") if file.name == "x" or not set(file.name) <= set(SAFE)]


def test_no_cell_of_an_export_is_a_formula(hostile: Hostile) -> None:
    exports = list((hostile.data / "exports").glob("*/*.csv"))
    cells = [cell for file in exports for row in csv.reader(file.open(newline="", encoding="utf-8")) for cell in row]
    assert not [cell for cell in cells if re.match(r"[=+\-@\t\r\n]", cell)]
    assert "'=cmd()" in cells


def test_copies_of_hostile_campaigns_stay_in_their_folders_and_are_masked(hostile: Hostile) -> None:
    with environment(hostile.variables):
        warehouse = AppContext.of(load_settings())
    before = set((hostile.data / "exports").rglob("*"))
    for name in NAMES:
        for file_format in FileFormat:
            stages.export_reports(
                warehouse, ["delivery_status", "attributed_orders"], campaign=name, file_format=file_format
            )
    written = set((hostile.data / "exports").rglob("*.*")) - before
    assert len(written) == len(NAMES) * 2 * 2 * 2
    text_cells = set()
    for file in written:
        assert set(file.name) <= set(SAFE)
        if file.suffix == ".xlsx":
            sheet = openpyxl.load_workbook(file).active
            _, *rows = sheet.iter_rows(values_only=True)
            cells = [cell for row in rows for cell in zip(read_description(file).columns, row, strict=True)]
            text_cells |= {(name, spelled_out(value)) for name, value in cells if isinstance(value, str)}
            assert not [cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f" or cell.hyperlink]
    assert {text for column, text in text_cells if column == "campaign_id"} == set(NAMES)
    numbers = {text for column, text in text_cells if column == "mobile_number"}
    assert numbers == {masked_number(number) for number in NUMBERS.values()}
    for file in written:
        file.unlink()


def test_printed_text_holds_no_control_characters(hostile: Hostile) -> None:
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", hostile.run.stdout + hostile.run.stderr)


def test_no_phone_number_is_printed_recorded_or_published(hostile: Hostile) -> None:
    numbers = [*NUMBERS.values(), *ELSEWHERE, IN_IDS]
    printed = hostile.run.stdout + hostile.run.stderr + sendmart(hostile.variables, "status").stdout
    recorded = [hostile.data / "ledger.sqlite", *(hostile.data / "dagster").rglob("*")]
    published = [*(hostile.data / "published").rglob("*"), *(hostile.data / "exports").rglob("*.csv")]
    texts = {"printed": printed} | {
        str(file): file.read_bytes().decode("latin-1") for file in [*recorded, *published] if file.is_file()
    }
    for name in ("sendmart", "quarantine"):
        texts[name] = _rows_of(hostile.data / "published" / f"{name}.duckdb")
    # A campaign's name is published as it is: it is no contact's number.
    occurrences = {(path, number) for path, text in texts.items() for number in numbers if number in text}
    assert {path for path, number in occurrences if number != ELSEWHERE[0]} == set()
    assert not [path for path, _ in occurrences if "dagster" in path or "ledger" in path or path == "printed"]


def _rows_of(file: Path) -> str:
    with duckdb.connect() as connection:
        connection.execute(f"attach '{file}' as looked_at (read_only)")
        tables = connection.execute("select schema_name, table_name from duckdb_tables()").fetchall()
        return "\n".join(
            str(row)
            for schema, table in tables
            for row in connection.execute(f"from looked_at.{schema}.{table}").fetchall()
        )


def test_written_files_are_private_to_their_owner(hostile: Hostile) -> None:
    assert not [file for file in (hostile.data, *hostile.data.rglob("*")) if file.stat().st_mode & 0o077]


def test_masked_numbers_have_their_keyed_hash_beside_them(hostile: Hostile) -> None:
    key = bytes.fromhex((hostile.data / "hash.key").read_text())
    rows = mart_rows(hostile.data / "published" / "sendmart.duckdb", "delivery_status")
    assert list(rows[0])[:4] == ["campaign_id", "contact_id", "mobile_number", "mobile_number_hash"]
    for row in rows:
        number = (NUMBERS | {"n": IN_IDS})[row["contact_id"]]
        assert row["mobile_number"] == masked_number(number) == f"+44…{number[-2:]}"
        assert row["mobile_number_hash"] == hmac.new(key, number.encode(), "sha256").hexdigest()
    (words,) = (
        row
        for row in mart_rows(hostile.data / "published" / "sendmart.duckdb", "attributed_unsubscribes")
        if row["contact_id"] == "n"
    )
    assert words["source"] == "STOP, it is +44…02"
    raw = [row["raw_row"] for row in rejected_rows(hostile.data / "published" / "quarantine.duckdb")]
    assert len(raw) == 2
    assert all("…" in row for row in raw)


def test_numbers_in_ids_and_words_are_masked_with_one_hash_in_every_mart(hostile: Hostile) -> None:
    marts = hostile.data / "published" / "sendmart.duckdb"
    orders = [row for row in mart_rows(marts, "attributed_orders") if row["contact_id"] == "n"]
    order = min(orders, key=lambda row: len(row["order_id"]))
    (unconverted,) = (row for row in mart_rows(marts, "unconverted_orders") if row["contact_id"] == "n")
    (message,) = (row for row in mart_rows(marts, "delivery_status") if row["contact_id"] == "n")
    key = bytes.fromhex((hostile.data / "hash.key").read_text())
    hashed = hmac.new(key, f"batch:{IN_IDS}".encode(), "sha256").hexdigest()[:16]
    assert order["click_id"] == order["order_id"] == message["message_id"] == f"batch:+44…04~{hashed}"
    assert unconverted["order_id"].startswith("batch:+44…04:2~")
    (unmapped,) = (row for row in mart_rows(marts, "unmapped_receipts") if row["error_code"] is not None)
    assert unmapped["provider"] == unmapped["provider_status"] == unmapped["error_code"] == message["error_code"]
    assert message["error_code"].startswith("no route to +44…04~")
    with environment(hostile.variables), duckdb.connect() as connection:
        warehouse = AppContext.of(load_settings())
        explainer = Explainer(warehouse.settings, warehouse.paths, warehouse.ledger, connection, lambda: True)
        for kind in ("order", "message"):
            explanation = explainer.explain(kind, f"batch:{IN_IDS}")
            assert explanation.published and explanation.disagreements == {}, kind


def test_a_changed_masking_setting_publishes_and_exports_again(hostile: Hostile) -> None:
    def opened(mask_phone_numbers: str) -> AppContext:
        with environment(hostile.variables | {"SENDMART_MASK_PHONE_NUMBERS": mask_phone_numbers}):
            return AppContext.of(load_settings())

    assert stages.plan_refresh(opened("true")).is_empty
    plain = opened("false")
    work = stages.plan_refresh(plain)
    assert (work.must_build, work.must_publish) == (False, True)
    stages.publish_candidate(plain, plain.ledger.candidate())
    assert "delivery_status" in stages.reports_to_export(plain)
    (export,) = stages.export_reports(plain, ["delivery_status"])
    assert export.rows == len(NAMES) + 1, "under another setting every row is another"
    assert {row["mobile_number"] for row in mart_rows(plain.paths.published_marts, "delivery_status")} == {
        *NUMBERS.values(),
        IN_IDS,
    }
    stages.publish_quarantine(plain)
    assert ELSEWHERE[1] in _rows_of(plain.paths.published_quarantine)
