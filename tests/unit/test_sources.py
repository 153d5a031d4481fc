"""Sources: mapping files, and loads, reloads, quarantine and erasure of the files that they map."""

import re
from dataclasses import replace
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from models.enums import Log
from models.error_codes import Code
from models.rejections import ERASED_RAW_ROW
from orchestration import stages
from orchestration.cli.main import app
from orchestration.errors import failure_of
from orchestration.stages import AppContext, load_changed, plan_refresh, remove_withdrawn
from orchestration.stages.sources import SourcesMissing
from quality.admission import validate
from tests.running import environment_of
from warehouse.config.settings import Settings
from warehouse.explain.explainer import unknown_id
from warehouse.explain.explanation import Basis, Explanation, Queries
from warehouse.ingest.sources import MappingInvalid, load_sources, read_mapping
from warehouse.ingest.sources.catalogue import SHIPPED
from warehouse.ingest.trial import MAX_FAULTS, try_file
from warehouse.lake import tables as lake_tables
from warehouse.quarantine import NotExportable, export_for_repair, most_frequent_reasons

MAPPING = """
source: gateway
description: A gateway's delivery log
files: gateway/{date}*.csv
format: {type: csv, delimiter: ;, decimal_comma: true}
optional_fields: [Fehler]
logs:
  sends:
    where: Richtung = 'aus'
    columns:
      message_id: Id
      campaign_id: Kampagne
      contact_id: Kunde
      mobile_number: e164(Nummer, '+49')
      sent_at: from_local(strptime(Zeit, '%d.%m.%Y %H:%M:%S'), 'Europe/Berlin')
      segments: Teile
      cost: times(Preis, Teile)
      cost_currency: "'EUR'"
  receipts:
    where: Richtung = 'aus'
    columns:
      message_id: Id
      provider_status: upper(Status)
      error_code: Fehler
      occurred_at: file_date || 'T00:00:00Z'
"""
HEADER = "Id;Kampagne;Kunde;Nummer;Zeit;Teile;Preis;Status;Richtung\n"
GOOD = "m1;c1;k1;0171 1234567;05.01.2026 10:00:00;2;0,075;delivrd;aus\n"
INCOMING = "m2;c1;k1;0171 1234567;heute;1;x;delivrd;ein\n"
BAD_TIME = "m3;c1;k3;0171 1234569;29.03.2026 02:30:00;1;0,075;undeliv;aus\n"
BAD_RULE = "m4;c1;k4;0171;05.01.2026 10:00:00;0;1.000,5;delivrd;aus\n"
BROKEN = 'm5;"c1\n'


class Gateway:
    """A landing zone with files of a source of one's own, and what was loaded from it."""

    def __init__(self, folder: Path) -> None:
        self.landing, self.mappings = folder / "landing", folder / "mappings"
        self.folder = folder
        self.mappings.mkdir()
        self.write_mapping(MAPPING)

    @property
    def context(self) -> AppContext:
        """As a process sees it that starts now."""
        return AppContext.of(Settings(landing=self.landing, data=self.folder / "data", sources=self.mappings))

    def write_mapping(self, text: str, name: str = "gateway") -> Path:
        file = self.mappings / f"{name}.yml"
        file.write_text(text, encoding="utf-8")
        return file

    def drop(self, name: str, text: str, encoding: str = "utf-8") -> Path:
        file = self.landing / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding=encoding)
        return file

    def load(self, log: Log) -> dict:
        return {file.source_file: file for file in load_changed(self.context, log)}

    def rows(self, log: Log) -> list[dict]:
        files = lake_tables.files(self.context.paths.lake, log)
        rows = pl.concat([pl.read_parquet(file) for file in files], how="diagonal")
        return rows.sort("source_file", "row_number").to_dicts()

    def rejected(self, log: Log) -> dict[int, tuple[list[str], str]]:
        files = sorted(self.context.paths.quarantine.glob(f"{log}/*/*.parquet"))
        rows = pl.concat([pl.read_parquet(file) for file in files]).to_dicts() if files else []
        return {row["row_number"]: (row["reasons"], row["raw_row"]) for row in rows}


@pytest.fixture
def gateway(tmp_path) -> Gateway:
    return Gateway(tmp_path)


def test_the_shipped_mappings_are_valid_and_have_a_page():
    sources = load_sources()
    assert len(sources) == 13
    for name in sources:
        assert read_mapping(SHIPPED / f"{name}.yml").name == name
    pages = (SHIPPED.parents[1] / "docs" / "sources").glob("*.md")
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    assert [name for name in sources if f"`{name}`" not in text] == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("source: gateway", "source: other", "source: is other; name the file other.yml, or the source gateway"),
        ("source: gateway", "source: Gate way", "source: must be lower-case letters"),
        ("description: A gateway's delivery log\n", "", "description: is missing; add it"),
        ("{date}*.csv", "*.csv", "files: must hold {date} once"),
        ("gateway/{date}", "sends/{date}", "files: sends/ holds files of the log sends"),
        ("gateway/{date}", "2026/{date}", "files: must begin with a folder"),
        ("gateway/{date}", "gateway/../{date}", "files: may hold {date}, * and **"),
        ("gateway/{date}", "gateway/[0-9]/{date}", "files: may hold {date}, * and **"),
        ("delimiter: ;", "delimiter: ;;", "format.delimiter: "),
        ("type: csv", "type: xml", "format.type: "),
        ("type: csv, delimiter: ;, decimal_comma: true", "type: csv, records: x", "format: records: only for json"),
        ("decimal_comma: true", "encoding: utf-99", "format.encoding: is no encoding that Python knows"),
        ("logs:\n", "wher: x\nlogs:\n", "wher: is no key of a mapping"),
        ("  sends:\n", "  sendings:\n", "logs.sendings: is no log"),
        ("      segments: Teile", "      parts: Teile", "logs.sends.columns: no column parts; sends has message_id"),
        ("      contact_id: Kunde\n", "", "logs.sends.columns: contact_id is required"),
        ("segments: Teile", "segments: 1", "logs.sends.columns.segments: must be text; write it in quotes: '1'"),
        ("segments: Teile", "segments: (select 1)", "logs.sends.columns.segments: may not hold a subquery"),
        ("segments: Teile", "segments: Teile +", "logs.sends.columns.segments: is no SQL expression"),
        (
            "segments: Teile",
            "segments: from",
            "segments: from is an SQL keyword; for the field of this name write '\"from\"'",
        ),
        ("segments: Teile", "segments: err-code", "for the field of this name write '\"err-code\"'"),
        ("segments: Teile", "segments: Order ID", "for the field of this name write '\"Order ID\"'"),
        ("segments: Teile", "segments: yes", "YAML reads yes, no, on and off as true or false; write it in quotes"),
        ("segments: Teile", "segments: now()", "logs.sends.columns.segments: may not call now()"),
        ("segments: Teile", "segments: tiele(Teile)", "logs.sends.columns.segments: may not call tiele()"),
        ("segments: Teile", "segments: Teile -> '$.x'", "gives JSON, not text or a number; use ->>"),
        ("segments: Teile", "segments: '[Teile]'", "gives VARCHAR[], not text or a number"),
        ("segments: Teile", "segments: abs(Teile)", "logs.sends.columns.segments: "),
        ("where: Richtung = 'aus'", "where: Richtung", "logs.sends.where: must be a condition, not VARCHAR"),
        (
            "segments: Teile",
            "segments: Teile\n      segments: Id",
            "line 17: segments: occurs twice; keep one of them",
        ),
        ("format: {", "format: [", "is no YAML in UTF-8"),
        (MAPPING, "- a\n", "must hold the keys of a source"),
    ],
)
def test_an_invalid_mapping_names_the_file_the_key_and_the_remedy(gateway, old, new, problem):
    assert old in MAPPING
    file = gateway.write_mapping(MAPPING.replace(old, new, 1))
    with pytest.raises(MappingInvalid) as raised:
        load_sources(gateway.mappings)
    assert str(file) in str(raised.value)
    assert problem in str(raised.value)


def test_an_own_mapping_replaces_the_shipped_one_of_its_name(gateway):
    own = MAPPING.replace("source: gateway", "source: shopify_orders")
    gateway.write_mapping(own, "shopify_orders")
    assert load_sources(gateway.mappings)["shopify_orders"].mapping.files == "gateway/{date}*.csv"
    assert load_sources()["shopify_orders"].mapping.files == "shopify_orders/{date}*.csv"


def test_one_file_feeds_several_logs_and_its_records_add_up(gateway):
    gateway.drop("gateway/2026-01-05.csv", HEADER + GOOD + INCOMING + BAD_TIME + BAD_RULE + BROKEN)
    name = "gateway:gateway/2026-01-05.csv"
    sends, receipts = gateway.load(Log.SENDS)[name], gateway.load(Log.RECEIPTS)[name]
    assert (sends.records, sends.accepted, sends.rejected, sends.not_selected) == (5, 1, 3, 1)
    assert (receipts.records, receipts.accepted, receipts.rejected, receipts.not_selected) == (5, 3, 1, 1)
    assert (sends.source, sends.refusal) == ("gateway", None)
    (row,) = gateway.rows(Log.SENDS)
    assert (row["mobile_number"], str(row["sent_at"]), row["segments"], str(row["cost"])) == (
        "+491711234567", "2026-01-05 09:00:00", 2, "0.150000",
    )  # fmt: skip
    assert (row["source_file"], row["row_number"], row["cost_currency"]) == (name, 1, "EUR")
    assert [receipt["provider_status"] for receipt in gateway.rows(Log.RECEIPTS)] == ["DELIVRD", "UNDELIV", "DELIVRD"]
    assert {str(receipt["occurred_at"]) for receipt in gateway.rows(Log.RECEIPTS)} == {"2026-01-05 00:00:00"}


def test_a_rejected_record_stands_in_quarantine_as_it_came(gateway):
    gateway.drop("gateway/2026-01-05.csv", HEADER + GOOD + INCOMING + BAD_TIME + BAD_RULE + BROKEN)
    gateway.load(Log.SENDS)
    rejected = gateway.rejected(Log.SENDS)
    assert {number: raw for number, (_, raw) in rejected.items()} == {
        3: BAD_TIME.rstrip(), 4: BAD_RULE.rstrip(), 5: BROKEN.rstrip(),
    }  # fmt: skip
    (failed,) = rejected[3][0]
    assert failed == (
        "sent_at: from_local(strptime(Zeit, '%d.%m.%Y %H:%M:%S'), 'Europe/Berlin') failed (does not exist in Europe/Berlin:"
        " the clocks are put forward over it; Zeit = '29.03.2026 02:30:00')"
    )
    assert [reason.partition(":")[0] for reason in rejected[4][0]] == ["mobile_number", "segments"]
    recorded = gateway.context.ledger.files(Log.SENDS)
    reasons = [reason.reason for reason in most_frequent_reasons(gateway.context.paths.quarantine, recorded, 9)]
    assert "sent_at: from_local(strptime(Zeit, '%d.%m.%Y %H:%M:%S'), 'Europe/Berlin') failed" in reasons


def test_a_condition_that_fails_rejects_the_record(gateway):
    gateway.write_mapping(MAPPING.replace("where: Richtung = 'aus'", "where: cast(Teile as integer) > 0", 1))
    gateway.drop("gateway/2026-01-05.csv", HEADER + GOOD + GOOD.replace(";2;", ";two;"))
    (loaded,) = gateway.load(Log.SENDS).values()
    assert (loaded.accepted, loaded.rejected, loaded.not_selected) == (1, 1, 0)
    ((reason,), _) = gateway.rejected(Log.SENDS)[2]
    assert reason.startswith("where: cast(Teile as integer) > 0 failed (")
    assert reason.endswith("Teile = 'two')")


def test_a_field_that_no_record_has_refuses_the_file(gateway):
    gateway.drop("gateway/2026-01-05.csv", (HEADER + GOOD).replace("Kampagne", "Aktion"))
    gateway.drop("gateway/2026-01-06.csv", HEADER.replace("Kampagne", "Aktion"))
    gateway.drop("gateway/2026-01-07.csv", "one\n1\n2\n")
    loaded = gateway.load(Log.SENDS)
    assert loaded["gateway:gateway/2026-01-07.csv"].refusal.startswith("no record has the field ")
    assert loaded["gateway:gateway/2026-01-05.csv"].refusal.startswith("no record has the field Kampagne")
    assert loaded["gateway:gateway/2026-01-06.csv"].refusal is None


def test_json_fields_are_text_and_a_field_may_be_null_but_not_absent_everywhere(gateway):
    gateway.write_mapping(
        "source: gateway\ndescription: JSON\nfiles: gateway/{date}.json\nformat: {type: json}\nlogs:\n"
        "  unsubscribes:\n    columns:\n      contact_id: who ->> '$.id'\n      unsubscribed_at: moment\n"
        "      source: coalesce(how, 'flag ' || flag || ' ' || amount || ' ' || tags)\n"
    )
    gateway.drop(
        "gateway/2026-01-05.json",
        '{"who": {"id": 7}, "moment": "2026-01-05T10:00:00Z", "how": null, "flag": true, "amount": 1.50, "tags": [1, "a"]}\n'
        '{"who": {"id": "8"}, "moment": "2026-01-05T10:00:00Z", "how": "link"}\n'
        '{"who": "x", "moment": "2026-01-05T10:00:00Z"}\n{"who": {"id": 1}, "who": 2}\n',
    )
    (loaded,) = gateway.load(Log.UNSUBSCRIBES).values()
    assert (loaded.accepted, loaded.rejected, loaded.refusal) == (2, 2, None)
    rows = [(row["contact_id"], row["source"].replace(" ", "")) for row in gateway.rows(Log.UNSUBSCRIBES)]
    assert rows == [("7", 'flagtrue1.50[1,"a"]'), ("8", "link")]
    assert gateway.rejected(Log.UNSUBSCRIBES)[4][0] == ["field who: occurs twice in the JSON object"]
    gateway.drop("gateway/2026-01-06.json", '{"who": {"id": 7}, "moment": "2026-01-05T10:00:00Z"}\n')
    (loaded,) = gateway.load(Log.UNSUBSCRIBES).values()
    assert loaded.refusal.startswith("no record has the field amount, flag, how, tags")


def test_a_file_without_a_record_of_a_log_need_not_have_the_fields_of_its_columns(gateway, caplog):
    gateway.write_mapping(
        "source: gateway\ndescription: Events\nfiles: gateway/{date}.json\nformat: {type: json}\nlogs:\n"
        "  unsubscribes:\n    where: kind = 'stop'\n    columns: {contact_id: who, unsubscribed_at: stopped_at}\n"
    )
    sent, stopped = '{"kind": "sent", "who": "k1"}', '{"kind": "stop", "who": "k2"}'
    gateway.drop("gateway/2026-01-05.json", f"[{sent}]")
    gateway.drop("gateway/2026-01-06.json", f"[{sent}, {stopped}]")
    gateway.drop("gateway/2026-01-07.json", '[{"who": "k1"}]')
    with caplog.at_level("INFO", "sendmart"):
        loaded = gateway.load(Log.UNSUBSCRIBES)
    assert caplog.text.count("no record is selected, of 1 (where in its mapping)") == 1
    quiet, without_time, without_kind = (loaded[f"gateway:gateway/2026-01-0{day}.json"] for day in (5, 6, 7))
    assert (quiet.refusal, quiet.records, quiet.not_selected) == (None, 1, 1)
    assert without_time.refusal.startswith("no record has the field stopped_at")
    assert without_kind.refusal.startswith("no record has the field kind,")


def test_a_changed_mapping_reloads_the_files_of_its_source_and_gives_what_a_new_warehouse_gives(gateway, tmp_path):
    gateway.drop("gateway/2026-01-05.csv", HEADER + GOOD)
    gateway.drop("gateway/2026-01-06.csv", HEADER + GOOD.replace("m1", "m6"))
    gateway.drop("receipts/2026-01-05.csv", "message_id,provider_status,occurred_at\nx,DELIVRD,2026-01-05T10:00:00Z\n")
    for log in (Log.SENDS, Log.RECEIPTS):
        gateway.load(log)
    assert plan_refresh(gateway.context).reloaded == ()
    assert gateway.load(Log.SENDS) == {}
    gateway.write_mapping(MAPPING.replace("campaign_id: Kampagne", "campaign_id: lower('C-' || Kampagne)"))
    plan = plan_refresh(gateway.context)
    assert plan.reloaded == (
        "the mapping of gateway: receipts has changed: 2 files are loaded again",
        "the mapping of gateway: sends has changed: 2 files are loaded again",
    )
    assert len(gateway.load(Log.SENDS)) == 2
    assert set(gateway.load(Log.RECEIPTS)) == {"gateway:gateway/2026-01-05.csv", "gateway:gateway/2026-01-06.csv"}
    assert {row["campaign_id"] for row in gateway.rows(Log.SENDS)} == {"c-c1"}
    assert gateway.load(Log.SENDS) == {}
    gateway.write_mapping(MAPPING.replace("A gateway's", "The gateway's").replace("lower('C-'", "lower('C-'"))
    assert len(gateway.load(Log.SENDS)) == 2  # the first mapping again; the description alone changes nothing
    gateway.write_mapping(MAPPING)
    assert gateway.load(Log.SENDS) == {}


@pytest.mark.parametrize("change", ["no log", "other folder", "no mapping"])
def test_rows_of_a_file_that_is_mapped_no_more_are_removed(gateway, change):
    gateway.drop("gateway/2026-01-05.csv", HEADER + GOOD)
    gateway.drop("gateway/2026-01-06.csv", HEADER + GOOD)
    gateway.load(Log.SENDS)
    (gateway.landing / "gateway" / "2026-01-06.csv").unlink()  # gone: the lake keeps its rows
    if change == "no log":
        before, _, rest = MAPPING.partition("  sends:\n")
        gateway.write_mapping(before + rest[rest.index("  receipts:") :])
    elif change == "other folder":
        gateway.write_mapping(MAPPING.replace("gateway/{date}", "elsewhere/{date}"))
    else:
        gateway.write_mapping(MAPPING.replace("gateway", "other"), "other")
        (gateway.mappings / "gateway.yml").unlink()
    assert plan_refresh(gateway.context).reloaded == (
        "gateway: sends is mapped no more: the rows of 1 file are removed",
    )
    (loaded,) = gateway.load(Log.SENDS).values()
    assert (loaded.records, loaded.accepted) == (0, 0)
    assert [row["source_file"] for row in gateway.rows(Log.SENDS)] == ["gateway:gateway/2026-01-06.csv"]
    assert gateway.load(Log.SENDS) == {}


@pytest.mark.parametrize("sources", ["unset", "empty"])
def test_without_any_mapping_of_ones_own_nothing_is_removed_unless_asked_for(gateway, sources):
    gateway.drop("gateway/2026-01-05.csv", HEADER + GOOD)
    gateway.load(Log.SENDS)
    (gateway.mappings / "gateway.yml").unlink()
    settings = gateway.context.settings
    context = AppContext.of(settings.model_copy(update={"sources": None}) if sources == "unset" else settings)
    for stage in (plan_refresh, lambda context: load_changed(context, Log.SENDS)):
        with pytest.raises(SourcesMissing, match=r"the rows of 1 file would be removed, which gateway mapped"):
            stage(context)
    assert len(gateway.rows(Log.SENDS)) == 1
    assert plan_refresh(replace(context, may_lose_sources=True)).reloaded
    remove_withdrawn(context)
    assert gateway.rows(Log.SENDS) == []
    plan_refresh(context)


def test_a_replaced_file_replaces_its_rows(gateway):
    gateway.drop("gateway/2026-01-05.csv", HEADER + GOOD + BAD_RULE)
    gateway.load(Log.SENDS)
    gateway.drop("gateway/2026-01-05.csv", HEADER + GOOD.replace("m1", "m7"))
    gateway.load(Log.SENDS)
    assert [row["message_id"] for row in gateway.rows(Log.SENDS)] == ["m7"]
    assert gateway.rejected(Log.SENDS) == {}


def test_a_file_that_two_sources_read_is_an_error_that_names_both(gateway):
    gateway.write_mapping(MAPPING.replace("source: gateway", "source: other"), "other")
    gateway.drop("gateway/2026-01-05.csv", HEADER + GOOD)
    for attempt in (lambda: gateway.load(Log.SENDS), lambda: plan_refresh(gateway.context)):
        with pytest.raises(
            MappingInvalid, match=r"2026-01-05\.csv: the sources gateway and other both read this"
        ) as caught:
            attempt()
    assert failure_of(caught.value, gateway.context).code is Code.SETTING_INVALID
    assert gateway.context.ledger.files() == []
    gateway.write_mapping(MAPPING.replace("source: gateway", "source: other").replace("gateway/", "other/"), "other")
    assert gateway.load(Log.SENDS).keys() == {"gateway:gateway/2026-01-05.csv"}


@pytest.mark.parametrize("key", ["c1:m4", "c1:0171", "k4", "c1:+0171", "c1:m9"])
def test_an_id_that_a_source_puts_together_is_found_in_quarantine_by_its_parts(gateway, key):
    gateway.write_mapping(MAPPING.replace("message_id: Id", "message_id: Kampagne || ':' || Id"))
    gateway.drop("gateway/2026-01-05.csv", HEADER + GOOD + BAD_RULE)
    gateway.load(Log.SENDS)
    context, explanation = gateway.context, Explanation("message", key, Basis(None, None, False, None))
    with duckdb.connect() as connection:
        Queries(context.settings, context.paths, context.ledger, connection, {}, False, explanation).add_quarantined()
    message = unknown_id(explanation, has_sources=True)
    if key == "c1:m9":
        assert "A source may put its ids together from several fields" in message
    else:
        assert "1 rows in quarantine contain it, the first in sends/gateway:gateway/2026-01-05.csv, row 2" in message


def test_the_extension_of_a_file_of_a_source_may_be_in_any_case(gateway):
    gateway.drop("gateway/2026-01-05.CSV", HEADER + GOOD)
    gateway.drop("gateway/2026-01-06.Csv.GZ", HEADER + GOOD)
    gateway.drop("gateway/2026-01-07.csx", HEADER + GOOD)
    assert {file.path_in_landing for file in gateway.context.scan_landing().files} == {
        "gateway/2026-01-05.CSV", "gateway/2026-01-06.Csv.GZ",
    }  # fmt: skip


def test_a_file_in_the_folder_of_a_source_that_fits_no_pattern_is_ignored(gateway):
    gateway.drop("gateway/report.csv", HEADER)
    gateway.drop("gateway/deep/2026-01-05.csv", HEADER)
    assert set(gateway.context.scan_landing().ignored) == {"gateway/report.csv", "gateway/deep/2026-01-05.csv"}


def test_rejected_records_are_exported_as_they_came_and_can_be_dropped_again(gateway, tmp_path):
    file = gateway.drop("gateway/2026-01-05.csv", HEADER + GOOD + BAD_TIME)
    (loaded,) = gateway.load(Log.SENDS).values()
    context, mapping = gateway.context, gateway.context.sources["gateway"].mapping
    whole = export_for_repair(context.settings, context.paths, loaded, tmp_path / "whole", mapping=mapping)
    assert [copy.read_text() for copy in whole.files] == [file.read_text()]
    assert whole.files[0].relative_to(tmp_path / "whole").as_posix() == "gateway/2026-01-05.csv"
    again = export_for_repair(context.settings, context.paths, loaded, tmp_path / "whole", mapping=mapping)
    assert again == whole, "the copy is the same for every log that the file feeds"
    whole.files[0].write_text("fixed")
    with pytest.raises(FileExistsError):
        export_for_repair(context.settings, context.paths, loaded, tmp_path / "whole", mapping=mapping)
    rows = export_for_repair(
        context.settings, context.paths, loaded, tmp_path / "rows", rows_only=True, mapping=mapping
    )
    name = rows.files[0].relative_to(tmp_path / "rows").as_posix()
    assert re.fullmatch(r"gateway/2026-01-05\.mended-[0-9a-f]{12}\.csv", name)
    assert rows.files[0].read_text() == HEADER + BAD_TIME
    gateway.drop(name, rows.files[0].read_text().replace("29.03.", "30.03."))
    gateway.load(Log.SENDS)
    assert [row["message_id"] for row in gateway.rows(Log.SENDS)] == ["m1", "m3"]
    file.unlink()
    with pytest.raises(NotExportable, match="--rows-only"):
        export_for_repair(context.settings, context.paths, loaded, tmp_path / "gone", mapping=mapping)


def test_exports_of_rejected_records_never_have_the_name_of_a_file_in_the_landing_zone(gateway, tmp_path):
    def export(name: str, log: Log = Log.SENDS) -> str:
        context = gateway.context
        loaded = next(file for file in context.ledger.files(log) if file.path_in_landing == name)
        mapping = context.sources["gateway"].mapping
        to = tmp_path / "repair"
        written = export_for_repair(context.settings, context.paths, loaded, to, rows_only=True, mapping=mapping)
        return written.files[0].relative_to(to).as_posix()

    no_status = BAD_TIME.replace(";undeliv;", ";;")
    gateway.drop("gateway/2026-01-05.csv", HEADER + GOOD + no_status)
    gateway.drop("gateway/2026-01-05.csv.gz", HEADER + BAD_TIME)
    for log in (Log.SENDS, Log.RECEIPTS):
        gateway.load(log)
    names = [export("gateway/2026-01-05.csv"), export("gateway/2026-01-05.csv.gz")]
    names.append(export("gateway/2026-01-05.csv", Log.RECEIPTS))
    assert len(set(names)) == 3
    gateway.drop(names[0], HEADER + GOOD.replace("m1", "m3") + BAD_TIME)
    gateway.load(Log.SENDS)
    of_export, again = export(names[0]), export("gateway/2026-01-05.csv")
    assert len({*names, of_export, again}) == 5
    gateway.drop(of_export, HEADER + GOOD.replace("m1", "m4"))
    gateway.load(Log.SENDS)
    assert {row["message_id"] for row in gateway.rows(Log.SENDS)} == {"m1", "m3", "m4"}


PARQUET_MAPPING = """
source: lake_export
description: Clicks of a shop's lake
files: lake_export/{date}*.parquet
format: {type: parquet}
logs:
  clicks:
    columns:
      click_id: id
      message_id: message
      campaign_id: campaign
      contact_id: contact
      url: tags ->> '$.url'
      clicked_at: moment
"""


def test_rejected_records_of_a_parquet_source_are_exported_as_parquet_and_admit_nothing_without_a_fix(
    gateway, tmp_path
):
    gateway.write_mapping(PARQUET_MAPPING, "lake_export")
    (gateway.landing / "lake_export").mkdir(parents=True)
    file = gateway.landing / "lake_export" / "2026-01-05.parquet"
    columns = {
        "id": pa.array([1.0, 2.0**53, float("nan"), 4.0, None], pa.float64()),
        "message": pa.array([b"a", b"b", b"c", b"\xff", b"e"], pa.binary()),
        "campaign": pa.array([1.5, 2.5, 3.5, 4.5, 5.5], pa.float32()),
        "contact": ["k1", "k2", "k3", "k4", "k5"],
        "tags": [{"url": "https://a.example"}] * 5,
        "moment": ["2026-01-05T10:00:00Z"] * 5,
    }
    pq.write_table(pa.table(columns), file)
    (loaded,) = gateway.load(Log.CLICKS).values()
    assert (loaded.accepted, loaded.rejected, loaded.refusal) == (1, 4, None)
    file.unlink()
    context = gateway.context
    mapping = context.sources["lake_export"].mapping
    written = export_for_repair(context.settings, context.paths, loaded, tmp_path, rows_only=True, mapping=mapping)
    assert (written.rows, written.left_out) == (4, 0)
    dropped = gateway.landing / written.files[0].relative_to(tmp_path)
    dropped.write_bytes(written.files[0].read_bytes())
    (again,) = gateway.load(Log.CLICKS).values()
    assert (again.accepted, again.rejected, again.refusal) == (0, 4, None)
    table = pq.read_table(dropped).drop_columns(["id", "message"])
    fixed = table.append_column("id", [["2", "3", "4", "5"]]).append_column("message", [["b", "c", "d", "e"]])
    pq.write_table(fixed, dropped)
    gateway.load(Log.CLICKS)
    assert sorted((row["click_id"], row["campaign_id"], row["url"]) for row in gateway.rows(Log.CLICKS)) == [
        (str(number), f"{number}.5", "https://a.example") for number in (1, 2, 3, 4, 5)
    ]


def test_an_erased_contact_leaves_lake_and_quarantine(gateway):
    # The raw record has neither the number nor the contact as the log has them.
    gateway.write_mapping(MAPPING.replace("contact_id: Kunde", "contact_id: upper(Kunde)"))
    gateway.drop("gateway/2026-01-05.csv", HEADER + GOOD + BAD_TIME.replace("k3", "k1") + BAD_RULE)
    gateway.load(Log.SENDS)
    stages.erase_contact(gateway.context, "K1", "asked for it")
    assert gateway.rows(Log.SENDS)[0]["contact_id"].startswith("erased-")
    rejected = gateway.rejected(Log.SENDS)
    assert rejected[2] == (
        ["sent_at: from_local(strptime(Zeit, '%d.%m.%Y %H:%M:%S'), 'Europe/Berlin') failed"], ERASED_RAW_ROW,
    )  # fmt: skip
    assert rejected[3][1] == BAD_RULE.rstrip()
    gateway.drop("gateway/2026-01-06.csv", HEADER + BAD_TIME.replace("k3", "k1"))
    gateway.load(Log.SENDS)
    assert ERASED_RAW_ROW in [raw for _, raw in gateway.rejected(Log.SENDS).values()]


def test_masked_numbers_in_reasons_of_the_published_quarantine(gateway):
    gateway.write_mapping(MAPPING.replace("segments: Teile", "segments: cast(Nummer as tinyint)"))
    gateway.drop("gateway/2026-01-05.csv", HEADER + GOOD.replace("0171 1234567", "+491711234567"))
    settings = gateway.context.settings.model_copy(update={"mask_phone_numbers": True})
    load_changed(AppContext.of(settings), Log.SENDS)
    with duckdb.connect(str(gateway.context.paths.published_quarantine), read_only=True) as connection:
        ((reasons, raw_row),) = connection.execute("select reasons::varchar, raw_row from rejected_rows").fetchall()
    assert "1711234567" not in reasons + raw_row


@pytest.fixture
def run(gateway, monkeypatch):
    variables = environment_of(gateway.folder / "data", gateway.landing, sources=str(gateway.mappings))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_commands_of_sources(gateway, run):
    listed = run("sources", "list")
    assert listed.exit_code == 0
    assert "gateway/{date}*.csv" in listed.output
    origins = {
        line.split("│")[1].strip(): line.split("│")[-2].strip() for line in listed.output.splitlines() if "│" in line
    }
    assert (origins["gateway"], origins["twilio_bulk_export"]) == ("own", "shipped")
    assert "from_local(strptime(Zeit" in run("sources", "show", "gateway").output
    file = gateway.drop("2026-01-05.csv", HEADER + GOOD + INCOMING)
    good = run("sources", "test", "gateway", file)
    assert good.exit_code == 0, good.output
    assert "sends: 2 records: 1 accepted, 0 rejected, 1 not selected" in good.output
    assert "raw     m1;c1;k1" in good.output
    assert "cost = 0.150000" in good.output
    assert "file_date is today, " in good.output
    assert "no record is selected" not in good.output
    placed = gateway.drop("gateway/2026-01-05.csv", HEADER + INCOMING)
    unselected = run("sources", "test", "gateway", placed).output
    assert "file_date is today" not in unselected
    assert unselected.count("no record is selected: ") == 2
    placed.write_text(HEADER.replace("Kunde", "Wer") + GOOD + BAD_TIME + BAD_RULE.replace("1.000,5", "?"))
    refused = run("sources", "test", "gateway", placed).output
    assert "sends: the file is refused: no record has the field Kunde" in refused
    assert "does not exist in Europe/Berlin" not in refused
    placed.write_text(HEADER + BAD_RULE.replace(";0;1.000,5", ";x;1.000,50"))
    assert "Preis = '1.000,50'" in run("sources", "test", "gateway", placed).output
    file.write_text(HEADER + GOOD + BAD_TIME)
    bad = run("sources", "test", gateway.mappings / "gateway.yml", file, "--rows", "0")
    assert bad.exit_code == 1
    assert "does not exist in Europe/Berlin" in bad.output
    assert '"not_selected": 0' in run("sources", "test", "gateway", file, "--json").output
    assert run("sources", "test", "gateway", gateway.folder / "no.csv").exit_code == 2
    assert run("sources", "show", "no_such_source").exit_code == 2
    gateway.write_mapping(MAPPING.replace("segments: Teile", "segments: now()"))
    invalid = run("sources", "test", "gateway", file)
    assert invalid.exit_code == 2
    assert "gateway.yml: logs.sends.columns.segments: may not call now()" in invalid.output
    assert not (gateway.folder / "data").exists()


def test_check_of_a_file_in_the_contract_of_a_log(gateway, run):
    file = gateway.drop("any.csv", "contact_id,unsubscribed_at,extra\nk1,2026-01-05T10:00:00Z,1\n")
    good = run("check", "unsubscribes", file)
    assert (good.exit_code, "1 accepted, 0 rejected" in good.output, "extra" in good.output) == (0, True, True)
    file.write_text("contact_id,unsubscribed_at\nk1,soon\n")
    bad = run("check", "unsubscribes", file, "--json")
    assert bad.exit_code == 1
    assert '"row_number": 1' in bad.output
    assert run("check", "orders", file).exit_code == 1
    assert "required column missing" in run("check", "orders", file).output
    assert run("check", "unsubscribes", gateway.drop("any.txt", "")).exit_code == 2


def test_a_trial_keeps_the_first_faults_and_counts_all(gateway, run):
    wrong = "contact_id,unsubscribed_at\n" + "k1,soon\n" * 30_000 + "k1\n" * 120 + "k1,2026-01-05T10:00:00Z\n"
    file = gateway.drop("any.csv", wrong)
    trial = try_file(file, Log.UNSUBSCRIBES, None, validate, samples=0)
    assert (trial.records, trial.accepted, trial.rejected) == (30_121, 1, 30_120)
    assert [fault.row_number for fault in trial.faults] == list(range(1, MAX_FAULTS + 1))
    assert [count for _, count in trial.reasons] == [30_000, 120]
    output = run("check", "unsubscribes", file).output
    assert "1 accepted, 30,120 rejected" in output
    assert "and 30,020 more rejected records. Of all:\n    30,000 unsubscribed_at: " in output
    assert '"rejected": 30120,' in run("check", "unsubscribes", file, "--json").output


def test_a_trial_shows_faults_and_the_first_rows(gateway):
    file = gateway.drop("gateway/2026-01-05.csv", HEADER + GOOD * 5 + BAD_TIME * 2)
    trial = try_file(file, Log.SENDS, gateway.context.sources["gateway"], validate, samples=2)
    assert [sample.row_number for sample in trial.samples] == [1, 2]
    assert [fault.row_number for fault in trial.faults] == [6, 7]
    assert trial.reasons == [("sent_at: from_local(strptime(Zeit, '%d.%m.%Y %H:%M:%S'), 'Europe/Berlin') failed", 2)]


def test_the_example_of_the_docs_maps_its_export(gateway):
    page = (SHIPPED.parents[1] / "docs" / "sources" / "README.md").read_text(encoding="utf-8")
    blocks = [block.removeprefix("\n") for block in page.split("```")[1::2]]
    export = next(block for block in blocks if block.startswith("Id;Campaign"))
    mapping = next(block for block in blocks if block.startswith("yaml\n   source: gateway"))
    gateway.write_mapping("\n".join(line.removeprefix("   ") for line in mapping.splitlines()[1:]))
    gateway.drop("gateway/2026-01-05.csv", export)
    assert [file.accepted for log in (Log.SENDS, Log.RECEIPTS) for file in gateway.load(log).values()] == [1, 1]
    (row,) = gateway.rows(Log.SENDS)
    assert (row["mobile_number"], str(row["sent_at"]), str(row["cost"])) == (
        "+491711234567", "2026-01-05 09:00:00", "0.150000",
    )  # fmt: skip


def test_an_invalid_mapping_stops_every_command_before_anything_runs(gateway, run):
    gateway.write_mapping(MAPPING.replace("segments: Teile", "segments: now()"))
    refused = run("refresh")
    assert refused.exit_code == 2
    assert "gateway.yml: logs.sends.columns.segments: may not call now()" in refused.output
    with pytest.raises(MappingInvalid) as raised:
        _ = gateway.context.sources
    valid = AppContext.of(Settings(landing=gateway.landing, data=gateway.folder / "data"))
    assert failure_of(raised.value, valid).code == Code.SETTING_INVALID
