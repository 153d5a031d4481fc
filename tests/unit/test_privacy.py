"""Masking, keyed hashes, what is remembered of the erased, and who may read what is written."""

import hmac
import json
import logging
import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import polars as pl
import pytest

from models.enums import Log
from models.marts import MARTS, columns
from models.masking import (
    mask_error,
    masked,
    masked_in_ids,
    masked_in_words,
    masked_number,
    masking_logger,
    sanitize,
)
from warehouse.config import file_modes
from warehouse.config.paths import DataPaths
from warehouse.config.settings import Settings
from warehouse.duckdb_tools import masked_id, masked_value, masked_words
from warehouse.duckdb_tools.preview import preview_rows
from warehouse.duckdb_tools.rewrite import Column
from warehouse.erasure.exports import csv_layout
from warehouse.ledger import Ledger
from warehouse.privacy import (
    CONTACT,
    ErasureIndex,
    KeyedHash,
    KeyMissing,
    contact_token,
    keyed_hash,
    load_erasure_index,
    load_keyed_hash,
)
from warehouse.privacy.tombstones import number_token
from warehouse.publish.published_file import _masked

KEY = bytes(range(32))


@pytest.fixture
def settings(tmp_path: Path, bare_environment: Path) -> Settings:
    return Settings(data=tmp_path / "data", landing=tmp_path / "landing")


@pytest.fixture
def paths(settings: Settings) -> DataPaths:
    return DataPaths(settings.data)


@pytest.fixture
def erased(settings: Settings, paths: DataPaths) -> ErasureIndex:
    """One contact erased: `p-1, the first`, whose number is +447700900123."""
    ledger = Ledger(paths.ledger)
    hashes = load_keyed_hash(paths, ledger)
    ledger.record_erasure("", hashes.of("p-1, the first"), contact_token())
    index = load_erasure_index(paths, ledger)
    index.add_numbers("p-1, the first", [hashes.of("+447700900123")])
    index.take_new_numbers()
    return index


# --- masking


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from +447700900123 to +33612345678.", "from +44…23 to +33…78."),
        ("'+44 7700 900123'", "'+44…23'"),
        ("+44 (7700) 900-123", "+44…23"),
        ("00447700900123", "004…23"),
        ("+1234567", "+12…67"),
        ("build 20261124T223021Z-0ff1b0: 1234567890 rows, +5% off, +123456", None),
    ],
)
def test_phone_numbers_are_masked_and_other_text_is_unchanged(text: str, expected: str | None) -> None:
    assert masked(text) == (text if expected is None else expected)


@pytest.mark.parametrize(
    ("message_id", "expected"),
    [
        ("B1:+491711234567", "B1:+49…67"),
        ("B1:491711234567", "B1:49…67"),
        ("B1|00491711234567|2", "B1|004…67|2"),
        ("491711234567:B1", "49…67:B1"),
        ("+491711234567", "+49…67"),
        ("f0e1d2c3-0000-4000-8000-491711234567", None),
        ("1736071200123456", None),
        ("B1:20260105", None),
        ("m1", None),
    ],
)
def test_numbers_in_ids_are_masked_in_texts_and_in_published_marts(message_id: str, expected: str | None) -> None:
    assert masked_in_ids(message_id) == (expected or message_id)
    (column,) = _masked([Column("message_id", "varchar", False, None, "message_id")])
    with duckdb.connect() as connection:
        KeyedHash(b"k" * 32).create_macro(connection)
        other_id = message_id.replace("123", "124")
        rows = connection.execute(
            f"select {masked_id('message_id')}, {column.value} from (values (?), (?)) as ids(message_id)",
            [message_id, other_id],
        ).fetchall()
    assert rows[0][0] == (expected or message_id)
    hashed = KeyedHash(b"k" * 32).of(message_id)[:16]
    assert rows[0][1] == (f"{expected}~{hashed}" if expected else message_id)
    assert expected is None or rows[0][1] != rows[1][1], "two recipients stay two messages"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("failed: +44 7700 900123", "failed: +44…23"),
        ("NO_ROUTE(00447700900123)", "NO_ROUTE(00…23)"),
        ("absent:447700900123", "absent:44…23"),
        ("DELIVRD 30003 20260105", None),
    ],
)
def test_numbers_in_the_words_of_a_provider_are_masked(words: str, expected: str | None) -> None:
    assert masked_in_words(words) == (expected or words)
    (column,) = _masked([Column("error_code", "varchar", True, None, "error_code")])
    key = KeyedHash(b"k" * 32)
    with duckdb.connect() as connection:
        key.create_macro(connection)
        (row,) = connection.execute(
            f"select {masked_words('words')}, {column.value} from (values (?, ?)) as rows(words, error_code)",
            [words, words],
        ).fetchall()
    assert row == (expected or words, f"{expected}~{key.of(words)[:16]}" if expected else words)


TEXTS_WITHOUT_NUMBERS = {
    *("campaign_id", "campaign_name", "body", "media_url", "sender", "last_modified_by"),
    *("contact_id", "currency", "skip_reason_details", "advice", "country", "build_id", "version", "settings"),
}
"""Columns that are published unchanged (docs/privacy.md), or that Sendmart writes; `override_reason` is masked as well."""


def test_every_published_text_is_masked_or_known_to_hold_no_number() -> None:
    texts = {
        column.name
        for mart, published in MARTS.items()
        for column in columns(mart)
        if column.sql_type == "varchar"
        and not any(check.name == "isin" for check in published.contract.to_schema().columns[column.name].checks)
    }
    masked_texts = {name for name in texts if masked_value(name, name) != name}
    assert masked_texts == {
        *("mobile_number", "source", "provider", "provider_status", "error_code"),
        *("message_id", "click_id", "order_id", "link"),
    }
    assert texts - masked_texts == TEXTS_WITHOUT_NUMBERS | {"override_reason"}


def test_a_short_number_is_masked_completely() -> None:
    assert masked_number("+44") == "…"


def test_control_characters_are_escaped() -> None:
    assert sanitize("\x1b[31mred\r\u202e") == "\\x1b[31mred\\r\\u202e"


def test_a_log_masks_numbers_in_messages_arguments_and_traces(caplog: pytest.LogCaptureFixture) -> None:
    logger = masking_logger("sendmart.of_this_test")
    assert masking_logger("sendmart.of_this_test") is logger
    assert len(logger.filters) == 1
    try:
        raise ValueError("cannot cast '+447700900123'")
    except ValueError:
        logger.exception("of %s\nforged", "+447700900123")
    output = logging.Formatter("%(message)s").format(caplog.records[0])
    assert "+44…23\n  forged" in output
    assert "cannot cast '+44…23'" in output
    assert "7009" not in output


def test_the_message_of_an_error_and_of_its_cause_are_masked() -> None:
    with pytest.raises(RuntimeError) as caught:
        try:
            duckdb.execute("select cast('+447700900123x' as integer)")
        except duckdb.Error as error:
            raise RuntimeError("of +447700900123") from error
    mask_error(caught.value)
    assert str(caught.value) == "of +44…23"
    assert "'+44…23x'" in str(caught.value.__cause__)


def test_a_preview_hides_contacts_and_masks_numbers() -> None:
    with duckdb.connect() as connection:
        connection.execute("create table t as select 'p1' as contact_id, '+447700900123' as mobile_number, 'c|1' as c")
        assert preview_rows(connection, "t").splitlines()[2] == "| … | +44…23 | c\\|1 |"


# --- keyed hash


def test_python_and_sql_give_the_same_hmac() -> None:
    hashes = KeyedHash(KEY)
    expected = hmac.new(KEY, "+447700900123é".encode(), "sha256").hexdigest()
    with duckdb.connect() as connection:
        hashes.create_macro(connection)
        (in_sql,) = connection.execute("select keyed_hash(?)", ["+447700900123é"]).fetchone()
    assert hashes.of("+447700900123é") == in_sql == expected


def test_the_key_is_created_once_and_never_replaced(settings: Settings, paths: DataPaths) -> None:
    ledger = Ledger(paths.ledger)
    first_hash = load_keyed_hash(paths, ledger).of("x")
    assert paths.hash_key.stat().st_mode & 0o777 == 0o600
    assert load_keyed_hash(paths, ledger).of("x") == first_hash
    key = paths.hash_key.read_text()
    for spoilt, words in ((None, "does not exist"), ("00" * 32, "not the key"), ("zz", "32 bytes"), ("é", "32 bytes")):
        paths.hash_key.unlink(missing_ok=True)
        if spoilt is not None:
            paths.hash_key.write_text(spoilt, encoding="utf-8")
        with pytest.raises(KeyMissing, match=words):
            load_keyed_hash(paths, ledger)
    paths.hash_key.write_text(key)
    assert load_keyed_hash(paths, ledger).of("x") == first_hash


def test_data_folders_that_create_a_shared_key_in_the_same_moment_have_one_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [DataPaths(tmp_path / str(number), hash_key_override=tmp_path / "keys" / "key") for number in range(8)]
    nobody_has_created_it = threading.Barrier(len(folders))

    def token_bytes(count: int) -> bytes:
        nobody_has_created_it.wait(timeout=60)
        return os.urandom(count)

    monkeypatch.setattr(keyed_hash.secrets, "token_bytes", token_bytes)
    with ThreadPoolExecutor(len(folders)) as threads:
        hashes = threads.map(lambda folder: load_keyed_hash(folder, Ledger(folder.ledger)).of("x"), folders)
        assert len(set(hashes)) == 1
    assert [file.name for file in (tmp_path / "keys").iterdir()] == ["key"]
    assert folders[0].hash_key.stat().st_mode & 0o777 == 0o600


# --- tombstones


def test_tokens_are_valid_and_random() -> None:
    numbers = {number_token(str(number), KEY) for number in range(100)}
    assert len(numbers) == 100
    assert pl.Series(list(numbers)).str.contains(r"^\+999[0-9]{12}$").all()
    assert len({contact_token() for _ in range(100)}) == 100


def test_without_an_erasure_there_is_no_index_and_no_key(settings: Settings, paths: DataPaths) -> None:
    assert load_erasure_index(paths, Ledger(paths.ledger)) is None
    assert not paths.hash_key.exists()


def test_rows_get_tokens_and_lose_their_free_text(erased: ErasureIndex) -> None:
    rows = pl.DataFrame(
        {
            "contact_id": ["p-1, the first", "other", "p-1, the first", "other"],
            "mobile_number": ["+447700900123", "+447700900123", None, "+447700900999"],
            "source": ["link", "link", "reply", None],
        }
    )
    token = erased.tokens(CONTACT, ["p-1, the first"])["p-1, the first"]
    (number,) = erased.tokens_by_hash("number").values()
    read = erased.erase_rows(Log.UNSUBSCRIBES, rows)
    assert read["contact_id"].to_list() == [token, "other", token, "other"]
    assert read["mobile_number"].to_list() == [number, number, None, "+447700900999"]
    assert read["source"].to_list() == [None, "link", None, None]
    assert erased.erase_rows(Log.UNSUBSCRIBES, read).equals(read), "a token is read as itself"


def test_an_unknown_number_of_an_erased_contact_is_erased_too(erased: ErasureIndex) -> None:
    rows = pl.DataFrame({"contact_id": ["p-1, the first", "other"], "mobile_number": ["+447700900777"] * 2})
    read = erased.erase_rows(Log.SENDS, rows)
    assert read["mobile_number"].n_unique() == 1
    assert read["mobile_number"][0].startswith("+999")
    assert len(erased.tokens_by_hash("number")) == 2
    (tombstone,) = erased.take_new_numbers()
    assert (tombstone.token, tombstone.hash in erased.tokens_by_hash("number")) == (read["mobile_number"][0], True)
    assert erased.take_new_numbers() == [], "noted once"


def test_copies_of_an_index_give_the_same_token_to_a_number_and_another_index_does_not(erased: ErasureIndex) -> None:
    rows = pl.DataFrame({"contact_id": ["p-1, the first"], "mobile_number": ["+447700900777"]})
    copies = [pickle.loads(pickle.dumps(erased)) for _ in range(2)]
    another = ErasureIndex(erased.hashes, erased._erased.values())
    tokens = [copy.erase_rows(Log.SENDS, rows)["mobile_number"][0] for copy in (*copies, another)]
    assert tokens[0] == tokens[1] != tokens[2]


@pytest.mark.parametrize(
    "raw",
    [
        '"p-1, the first",2026-01-05,',
        'm1,"p-1, the first"',
        json.dumps({"contact_id": " p-1, the first ", "x": 1}),
        '{"mobile_number": "+447700900123", "x": ',
        "+447700900123\\x00 garbage",
        'x,"+447700900123',
    ],
)
def test_a_rejected_row_that_names_an_erased_contact_is_erased(erased: ErasureIndex, raw: str) -> None:
    assert erased.erase_raw_row(raw) == "erased"


@pytest.mark.parametrize(
    "raw", ["p-1,2026", '{"contact_id": "p-12"}', "+4477009001234", "[" * 100_000, "", '{"a": [1, {}]}']
)
def test_other_rejected_rows_stay(erased: ErasureIndex, raw: str) -> None:
    assert erased.erase_raw_row(raw) == raw


def test_erased_words_of_a_text_are_replaced(erased: ErasureIndex) -> None:
    assert "+447700900123" not in erased.erase_text("failed for '+447700900123'.")
    assert erased.erase_text("5 rows of +447700900999.") == "5 rows of +447700900999."


@pytest.mark.parametrize(
    ("record", "is_spreadsheet"),
    [
        ('"c1","p1","\'+4477","delivered",1,"m1",2026,2026,"x","DELIVRD",', True),
        ('"c,1","p,1",+4477,delivered,1,m1,2026,2026,x,DELIVRD,', False),
        ("", True),
    ],
)
def test_the_mode_of_an_export_is_recognised_by_its_first_row(
    tmp_path: Path, record: str, is_spreadsheet: bool
) -> None:
    header = "campaign_id,contact_id,mobile_number,delivery_status,messages_sent,message_id,last_sent_at,status_at"
    file = tmp_path / "delivery_status" / "x.csv"
    file.parent.mkdir()
    file.write_text(f"{header},provider,provider_status,error_code\n{record}\n")
    read, is_quoted = csv_layout(file, "delivery_status")
    assert (read.columns, is_quoted) == (f"{header},provider,provider_status,error_code".split(","), is_spreadsheet)


# --- who may read


def test_an_old_data_folder_is_closed_and_its_landing_zone_is_not_changed(settings: Settings, paths: DataPaths) -> None:
    within = settings.model_copy(update={"landing": settings.data / "landing"})
    for path in (paths.lake / "sends", paths.data / "landing"):
        path.mkdir(parents=True)
        (path / "file").write_text("")
    opened = [paths.data, *paths.data.rglob("*")]
    for path in opened:
        path.chmod(0o777 if path.is_dir() else 0o666)
    file_modes.restrict_existing(within, paths)
    modes = {path.relative_to(paths.data).as_posix(): path.stat().st_mode & 0o777 for path in opened}
    closed = {".": 0o711, "lake": 0o700, "lake/sends": 0o700, "lake/sends/file": 0o600}
    assert modes == closed | {"landing": 0o777, "landing/file": 0o666}
    file_modes.restrict_existing(settings, paths)
    assert paths.data.stat().st_mode & 0o777 == 0o700


def test_new_files_follow_the_umask_setting(settings: Settings, tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        for umask, mode in (("077", 0o600), ("027", 0o640)):
            file_modes.apply_umask(settings.model_copy(update={"umask": umask}))
            (tmp_path / umask).write_text("")
            assert (tmp_path / umask).stat().st_mode & 0o777 == mode
    finally:
        os.umask(before)


@pytest.mark.parametrize("value", ["022", "0", "77", "078", "007x", "026"])
def test_a_umask_that_gives_others_a_permission_is_refused(value: str, bare_environment: Path) -> None:
    with pytest.raises(ValueError, match="octal mask"):
        Settings(umask=value)
