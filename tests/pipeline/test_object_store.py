"""Landing zone, lake, published marts and exports in an object store: a real S3 protocol server on loopback.

The stages of a refresh run as they do on a disk, without Dagster and the audit, which know nothing of where files lie.
"""

import gzip
import hashlib
import io
import json
import logging
import re
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import duckdb
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer

from models.enums import Log
from models.error_codes import Code
from models.marts import BASE_MARTS
from orchestration import stages
from orchestration.errors import failure_of
from orchestration.stages import AppContext, plan_refresh
from orchestration.stages.build import is_built
from quality.admission import validate
from tests.loads import BYTES_PER_TEST_TASK, recorded_threads, recording
from tests.oracle.logs import LOGS
from tests.running import CASES, RefreshedWarehouse, environment
from warehouse.config.paths import DataPaths
from warehouse.config.settings import PREFIX, load_settings
from warehouse.duckdb_tools import enable_s3
from warehouse.explain.explainer import Explainer
from warehouse.export import REPORTS, FileFormat
from warehouse.export.exports import missing, prune
from warehouse.ingest.load import load
from warehouse.ingest.staging import StagingJob
from warehouse.lake import integrity, recovery
from warehouse.lake import tables as lake_tables
from warehouse.lake.snapshot import take_snapshot
from warehouse.landing import LandingZoneMissing
from warehouse.landing import scan as landing_scan
from warehouse.landing.presence import check_presence
from warehouse.ledger import Ledger
from warehouse.publish import pointer
from warehouse.publish.kept_builds import KeptBuilds
from warehouse.publish.publication import publish
from warehouse.publish.published_file import read_build_info
from warehouse.storage import object_store
from warehouse.storage.object_store import ObjectStoreFailed, path_of, store_access

BUCKET = "warehouse"
LANDING = CASES / "small" / "landing"
CONTACT, NUMBER = "p3-1", "+4477000031"
CHANGED = "sends/2026-01-09.1.jsonl"
"""Of the small case: sent to CONTACT at NUMBER, among others."""
AS_CONTRACT, AS_EXPORT = "sends/2026-01-10.0.jsonl.gz", "messenger/2026-01-10.json.gz"
"""A file of the small case, which lies in the store as an export that a source maps to the same rows."""
MAPPING = """
source: messenger
description: Each record has a message in one field
files: messenger/{date}.json.gz
format: {type: json}
logs:
  sends:
    columns:
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of an empty store, which the process's environment names as boto3 wants it."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    columns = "".join(f"      {name}: message ->> '$.{name}'\n" for name in LOGS[Log.SENDS])
    (sources := tmp_path_factory.mktemp("sources")).joinpath("messenger.yml").write_text(MAPPING + columns)
    variables = {
        f"{PREFIX}SOURCES": str(sources),
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "of-the-tests",
        "AWS_SECRET_ACCESS_KEY": "of-the-tests-too",
        "AWS_MAX_ATTEMPTS": "1",
        f"{PREFIX}DATA": str(tmp_path_factory.mktemp("data")),
        **{f"{PREFIX}{name}": f"s3://{BUCKET}/{name.lower()}" for name in ("LANDING", "LAKE", "PUBLISHED", "EXPORTS")},
    }
    with environment(variables):
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        yield client
    server.stop()


@pytest.fixture(scope="module")
def warehouse(store: Any) -> AppContext:
    """The small case, loaded, built, published and exported, all of it in the store."""
    for file in LANDING.rglob("*"):
        if file.is_file():
            store.upload_file(str(file), BUCKET, f"landing/{file.relative_to(LANDING).as_posix()}")
    store.delete_object(Bucket=BUCKET, Key=f"landing/{AS_CONTRACT}")
    lines = gzip.decompress((LANDING / AS_CONTRACT).read_bytes()).splitlines()
    exported = b"\n".join(b'{"message": %s}' % line for line in lines)
    store.put_object(Bucket=BUCKET, Key=f"landing/{AS_EXPORT}", Body=gzip.compress(exported))
    warehouse = AppContext.of(load_settings())
    for log in Log:
        stages.load_changed(warehouse, log)
    candidate, _ = stages.build_candidate(warehouse)
    stages.publish_candidate(warehouse, candidate)
    stages.export_reports(warehouse, REPORTS)
    return warehouse


def _objects(store: Any, prefix: str = "") -> dict[str, str]:
    """The objects under a prefix, with what changes whenever they are written."""
    pages = store.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    return {
        entry["Key"]: f"{entry['ETag']} {entry['LastModified']}" for page in pages for entry in page.get("Contents", ())
    }


def _read(store: Any, key: str) -> bytes:
    return store.get_object(Bucket=BUCKET, Key=key)["Body"].read()


def _current_json(store: Any) -> dict[str, Any]:
    return json.loads(_read(store, "published/current.json"))


def _as_an_analyst(store: Any, warehouse: AppContext) -> duckdb.DuckDBPyConnection:
    """A connection that has followed `current.json`, and attached what it names from the store."""
    connection = duckdb.connect()
    enable_s3(connection, warehouse.paths.published_store)
    connection.execute(
        f"attach 's3://{BUCKET}/published/{_current_json(store)['marts']['file']}' as sendmart (read_only)"
    )
    return connection


def _build_read(store: Any, warehouse: AppContext) -> str:
    with _as_an_analyst(store, warehouse) as connection:
        return connection.execute("select build_id from sendmart.marts.build_info").fetchone()[0]


def _differences(connection: duckdb.DuckDBPyConnection, one: str, other: str) -> dict[str, int]:
    """By mart, how many rows are in one database and not in the other, either way."""
    return {
        mart: rows
        for mart in BASE_MARTS
        if (
            rows := connection.execute(
                f"select count(*) from ((from {one}.marts.{mart} except all from {other}.marts.{mart})"
                f" union all (from {other}.marts.{mart} except all from {one}.marts.{mart}))"
            ).fetchone()[0]
        )
    }


# --- a refresh


def test_marts_in_the_store_equal_those_on_disk(
    store: Any, warehouse: AppContext, refreshed_small: RefreshedWarehouse
) -> None:
    with _as_an_analyst(store, warehouse) as connection:
        connection.execute(f"attach '{refreshed_small.warehouse.paths.published_marts}' as disk (read_only)")
        assert connection.execute("select count(*) > 0 from sendmart.marts.delivery_status").fetchone()[0]
        assert _differences(connection, "sendmart", "disk") == {}


def test_exports_in_the_store_equal_those_on_disk(
    store: Any, warehouse: AppContext, refreshed_small: RefreshedWarehouse
) -> None:
    on_disk = refreshed_small.warehouse.paths.exports
    for report in REPORTS:
        (csv, described) = _objects(store, f"exports/{report}/")
        (same, *_) = sorted((on_disk / report).glob("*.csv"))
        assert _read(store, csv) == same.read_bytes()
        assert json.loads(_read(store, described))["file"] == csv.rpartition("/")[2]


def test_current_json_names_the_published_build_on_disk_and_in_the_store(
    store: Any, warehouse: AppContext, refreshed_small: RefreshedWarehouse
) -> None:
    for paths, current in (
        (warehouse.paths, _current_json(store)),
        (refreshed_small.warehouse.paths, json.loads(refreshed_small.warehouse.paths.current.read_text())),
    ):
        build_id, published_at, data_until = read_build_info(paths.published_marts)
        marts = paths.published_marts.read_bytes()
        assert current["build_id"] == build_id
        assert current["published_at"] == published_at.isoformat().replace("+00:00", "Z")
        assert current["data_until"] == str(data_until)
        assert current["marts"]["size"] == len(marts)
        assert current["marts"]["sha256"] == hashlib.sha256(marts).hexdigest()


def test_a_second_refresh_finds_nothing_and_writes_nothing(store: Any, warehouse: AppContext) -> None:
    before = _objects(store)
    assert plan_refresh(warehouse).is_empty
    assert _objects(store) == before


def test_nothing_is_written_to_the_landing_zone_or_left_on_disk(store: Any, warehouse: AppContext) -> None:
    of_case = {file.relative_to(LANDING).as_posix() for file in LANDING.rglob("*") if file.is_file()}
    in_store = {key.removeprefix("landing/") for key in _objects(store, "landing/")}
    assert in_store == of_case - {AS_CONTRACT} | {AS_EXPORT}
    assert list(warehouse.paths.transfers.iterdir()) == []
    assert not (warehouse.paths.data / "lake").exists()


def test_two_workers_load_the_same_objects_as_one(store: Any, warehouse: AppContext, tmp_path: Path) -> None:
    paths = DataPaths(tmp_path, lake_override=path_of(f"s3://{BUCKET}/lake-of-two"))
    ledger = Ledger(paths.ledger)
    files = warehouse.scan_landing().files_of(Log.SENDS)
    assert f"messenger:{AS_EXPORT}" in {file.source_file for file in files}
    (folder := tmp_path / "threads").mkdir()
    load(StagingJob(paths, recording(folder, 2)), ledger, files, workers=2, bytes_per_task=BYTES_PER_TEST_TASK)
    assert len(recorded_threads(folder)) == 2
    objects = {name.removeprefix("lake-of-two/"): _read(store, name) for name in _objects(store, "lake-of-two/")}
    expected = {name.removeprefix("lake/"): _read(store, name) for name in _objects(store, "lake/sends/")}
    del expected[lake_tables.empty_file(warehouse.paths.lake, Log.SENDS).relative_to(warehouse.paths.lake).as_posix()]
    assert objects == expected
    assert list(paths.transfers.iterdir()) == []
    for name in _objects(store, "lake-of-two/"):
        store.delete_object(Bucket=BUCKET, Key=name)


def test_figures_are_explained_from_the_store(warehouse: AppContext) -> None:
    with duckdb.connect() as connection:
        explainer = Explainer(
            warehouse.settings, warehouse.paths, warehouse.ledger, connection, lambda: is_built(warehouse)
        )
        (campaign,) = connection.execute("select campaign_id from published.marts.campaign_metrics limit 1").fetchone()
        explanation = explainer.explain("campaign", campaign)
        of_export = explainer.explain("message", "m10-3")
    assert explanation.published
    assert explanation.disagreements == of_export.disagreements == {}
    assert f"messenger:{AS_EXPORT}" in repr(of_export)


def test_a_snapshot_has_copies_of_the_objects(warehouse: AppContext, tmp_path: Path) -> None:
    snapshot = take_snapshot(warehouse.paths, warehouse.ledger, tmp_path / "lake")
    copied = sum(file.accepted for file in snapshot.files)
    relation = f"read_parquet('{tmp_path}/lake/sends/*/*.parquet', union_by_name = true)"
    assert copied == sum(file.accepted for file in warehouse.ledger.files()) > 100
    (rows,) = duckdb.sql(f"select count(*) from {relation}").fetchone()
    assert rows == sum(file.accepted for file in warehouse.ledger.files(Log.SENDS)) > 0


def test_an_object_that_changes_after_the_listing_is_left_for_the_next_refresh(
    store: Any, warehouse: AppContext
) -> None:
    listed_files = [
        file
        for file in landing_scan.scan(warehouse.settings.landing).files_of(Log.SENDS)
        if CHANGED.endswith(file.source_file)
    ]
    before = _read(store, f"landing/{CHANGED}")
    store.put_object(Bucket=BUCKET, Key=f"landing/{CHANGED}", Body=before + b"\n")
    try:
        assert load(StagingJob(warehouse.paths, validate), warehouse.ledger, listed_files) == []
    finally:
        store.put_object(Bucket=BUCKET, Key=f"landing/{CHANGED}", Body=before)
    unchanged_files = [
        file
        for file in landing_scan.scan(warehouse.settings.landing).files_of(Log.SENDS)
        if CHANGED.endswith(file.source_file)
    ]
    assert warehouse.ledger.pending_files(unchanged_files) == [], "the content is again what was taken"


def test_an_empty_prefix_where_files_were_before_is_a_missing_landing_zone(store: Any, warehouse: AppContext) -> None:
    settings = warehouse.settings.model_copy(update={"landing": path_of(f"s3://{BUCKET}/elsewhere")})
    with pytest.raises(LandingZoneMissing, match=f"s3://{BUCKET}/elsewhere is empty, and log files were loaded"):
        plan_refresh(replace(warehouse, settings=settings))
    store.put_object(Bucket=BUCKET, Key="elsewhere/sends/", Body=b"")  # what stands for a folder
    assert replace(warehouse, settings=settings).open_landing().files == ()
    store.delete_object(Bucket=BUCKET, Key="elsewhere/sends/")
    check_presence(settings.landing, has_loaded_files=False)  # a new prefix: it exists once it holds an object


# --- nights after


@pytest.fixture(scope="module")
def next_night(store: Any, warehouse: AppContext) -> tuple[str, str]:
    """One log file loses a row, and another one with two new messages is added. The candidate is built and not published.
    Returns the ids of the published build and of the candidate.
    """
    (before, _) = warehouse.ledger.last_publication()
    first, *remaining_lines = _read(store, f"landing/{CHANGED}").splitlines(keepends=True)
    store.put_object(Bucket=BUCKET, Key=f"landing/{CHANGED}", Body=b"".join(remaining_lines))
    other_line = (
        first.replace(b"m3-6", b"m99-0").replace(b"c3-1", b"c99-0").replace(b"p3-1", b"p99-0").replace(b"0031", b"0990")
    )
    store.put_object(
        Bucket=BUCKET, Key="landing/sends/2026-01-14.jsonl", Body=first.replace(b"m3-6", b"m3-7") + other_line
    )
    assert [file.source_file for file in plan_refresh(warehouse).files[Log.SENDS]] == [
        "2026-01-09.1.jsonl",
        "2026-01-14.jsonl",
    ]
    stages.load_changed(warehouse, Log.SENDS)
    candidate, _ = stages.build_candidate(warehouse)
    return before, candidate.build_id


@pytest.mark.torture
def test_an_incremental_build_in_the_store_equals_a_full_build(
    store: Any, warehouse: AppContext, next_night: tuple[str, str], tmp_path: Path
) -> None:
    incremental = tmp_path / "incremental.duckdb"
    incremental.write_bytes(warehouse.paths.candidate.read_bytes())
    assert warehouse.ledger.previous_build_of(next_night[1]) == next_night[0]
    (tmp_path / "full").mkdir()
    paths = DataPaths.of(warehouse.settings.model_copy(update={"data": tmp_path / "full"}))
    full = AppContext(warehouse.settings, paths, type(warehouse.ledger)(paths.ledger))
    stages.build_candidate(full)
    with duckdb.connect() as connection:
        for name, file in (
            ("incremental", incremental), ("complete", paths.candidate), ("before", warehouse.paths.published_marts)
        ):  # fmt: skip
            connection.execute(f"attach '{file}' as {name} (read_only)")
        assert _differences(connection, "incremental", "complete") == {}
        assert "delivery_status" in _differences(connection, "incremental", "before")


def test_a_kill_before_current_json_keeps_the_old_build_until_the_next_refresh(
    store: Any, warehouse: AppContext, next_night: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = next_night
    write = pointer._write

    def killed(paths: Any, path: Any, content: Any) -> None:
        if object_store.is_object(path):
            raise KeyboardInterrupt
        write(paths, path, content)

    monkeypatch.setattr(pointer, "_write", killed)
    candidate = warehouse.ledger.candidate()
    with pytest.raises(KeyboardInterrupt):
        publish(warehouse.settings, warehouse.paths, warehouse.ledger, candidate)
    assert [key for key in _objects(store, "published/builds/") if after in key], "the build is there already"
    assert _build_read(store, warehouse) == before
    assert plan_refresh(warehouse).must_publish
    monkeypatch.undo()
    stages.publish_candidate(warehouse, candidate)
    assert _build_read(store, warehouse) == after
    assert stages.is_published(warehouse, candidate)
    assert {key.partition("-")[0] for key in _objects(store, "published/builds/")} == {
        f"published/builds/{build_id.partition('-')[0]}" for build_id in (before, after)
    }


def test_rollback_applies_to_the_store(store: Any, warehouse: AppContext, next_night: tuple[str, str]) -> None:
    before, after = next_night
    if not stages.is_published(warehouse, warehouse.ledger.candidate()):
        stages.publish_candidate(warehouse, warehouse.ledger.candidate())
    assert stages.rollback_build(warehouse) == (after, before)
    assert _build_read(store, warehouse) == before
    assert stages.rollback_build(warehouse, after) == (before, after)
    assert _build_read(store, warehouse) == after


def test_only_exports_older_than_the_retention_are_deleted(store: Any, warehouse: AppContext) -> None:
    others = ["exports/skip_reasons/notes.csv", "exports/other/skip_reasons_20200101T000000Z.csv"]
    old = [
        "exports/skip_reasons/skip_reasons_20200101T000000Z.csv",
        "exports/skip_reasons/skip_reasons_20200101T000000Z.json",
    ]
    before = set(_objects(store, "exports/"))
    for key in others + old:
        store.put_object(Bucket=BUCKET, Key=key, Body=b"")
    assert prune(warehouse.paths, 30) == [key.removeprefix("exports/") for key in old]
    assert set(_objects(store, "exports/")) == before | set(others)
    for key in others:
        store.delete_object(Bucket=BUCKET, Key=key)


def test_a_requested_copy_is_stored_and_pruned_after_the_retention(store: Any, warehouse: AppContext) -> None:
    before = set(_objects(store, "exports/"))
    (export,) = stages.export_reports(warehouse, ["skip_reasons"], file_format=FileFormat.XLSX)
    key = f"exports/skip_reasons/{export.file}"
    described = key.replace(".xlsx", ".json")
    assert set(_objects(store, "exports/")) == {*before, key, described}
    assert hashlib.sha256(_read(store, key)).hexdigest() == json.loads(_read(store, described))["sha256"]
    old = [name.replace(export.exported_at[:4], "2020") for name in (key, described)]
    for new_key, old_key in zip((key, described), old, strict=True):
        store.copy_object(Bucket=BUCKET, Key=old_key, CopySource={"Bucket": BUCKET, "Key": new_key})
    assert prune(warehouse.paths, 30) == sorted(name.removeprefix("exports/") for name in old)
    assert set(_objects(store, "exports/")) == {*before, key, described}
    assert list(warehouse.paths.transfers.iterdir()) == []
    for name in (key, described):
        store.delete_object(Bucket=BUCKET, Key=name)


def test_a_deleted_export_is_noticed(store: Any, warehouse: AppContext) -> None:
    assert missing(warehouse.settings, warehouse.paths, warehouse.ledger, "skip_reasons") == []
    (csv, _) = _objects(store, "exports/skip_reasons/")
    content = _read(store, csv)
    store.delete_object(Bucket=BUCKET, Key=csv)
    (missing_export,) = missing(warehouse.settings, warehouse.paths, warehouse.ledger, "skip_reasons")
    assert csv.endswith(missing_export)
    store.put_object(Bucket=BUCKET, Key=csv, Body=content)


def test_a_lost_lake_object_is_found_by_listing_and_loaded_again(store: Any, warehouse: AppContext) -> None:
    file = next(file for file in warehouse.ledger.files(Log.ORDERS) if file.accepted)
    path = lake_tables.path_of(warehouse.paths.lake, file)
    content = _read(store, path.key)
    store.delete_object(Bucket=BUCKET, Key=path.key)
    (lost,) = integrity.find_damaged(warehouse.paths, warehouse.ledger, verify_checksums=False)
    assert (lost.source_file, lost.problem) == (file.source_file, "is missing")
    stages.load_changed(warehouse, Log.ORDERS)
    assert _read(store, path.key) == content
    store.put_object(Bucket=BUCKET, Key=path.key, Body=content[::-1])
    assert integrity.find_damaged(warehouse.paths, warehouse.ledger, verify_checksums=False) == []
    (damaged,) = integrity.find_damaged(warehouse.paths, warehouse.ledger, verify_checksums=True)
    assert "another SHA-256" in damaged.problem
    store.put_object(Bucket=BUCKET, Key=path.key, Body=content)


def test_unknown_checksums_of_lake_objects_are_recorded(store: Any, warehouse: AppContext) -> None:
    loaded_file = next(file for file in warehouse.ledger.files(Log.CLICKS) if file.accepted)
    path = lake_tables.path_of(warehouse.paths.lake, loaded_file)
    unrecorded_file = replace(loaded_file, source_file=f"{loaded_file.log_date}.gone.csv")
    unknown = lake_tables.path_of(warehouse.paths.lake, unrecorded_file)
    store.copy_object(Bucket=BUCKET, Key=unknown.key, CopySource={"Bucket": BUCKET, "Key": path.key})
    recovery.recover(warehouse.paths, warehouse.ledger, Log.CLICKS, [])
    assert warehouse.paths.key_of(unknown) in warehouse.ledger.checksums()


def test_no_object_holds_an_erased_contact(
    store: Any, warehouse: AppContext, next_night: tuple[str, str], tmp_path: Path
) -> None:
    assert {key.partition("/")[0] for key in _holding(store, tmp_path)} == {"lake", "published", "exports"}
    (copy,) = stages.export_reports(warehouse, ["delivery_status"], file_format=FileFormat.XLSX)
    erasure = stages.erase_contact(warehouse, CONTACT, "request 7")
    assert not [key for key in _objects(store, "exports/delivery_status/") if copy.file.removesuffix(".xlsx") in key]
    assert _holding(store, tmp_path) == []
    assert CHANGED not in erasure.still_in_landing, "the row that named the contact was taken away"
    assert AS_EXPORT in erasure.still_in_landing
    assert _build_read(store, warehouse) == warehouse.ledger.last_publication()[0]
    assert integrity.find_damaged(warehouse.paths, warehouse.ledger, verify_checksums=True) == []


def test_expired_builds_are_deleted_from_the_store(store: Any, warehouse: AppContext) -> None:
    store.put_object(Bucket=BUCKET, Key="published/builds/notes.txt", Body=b"")
    KeptBuilds(warehouse.paths.kept_builds, warehouse.ledger).prune(keep=1)
    pointer.delete_stale_objects(warehouse.paths)
    assert set(_objects(store, "published/builds/")) == {
        f"published/{_current_json(store)['marts']['file']}",
        "published/builds/notes.txt",
    }
    assert _build_read(store, warehouse) == warehouse.ledger.last_publication()[0]


def _holding(store: Any, scratch: Path) -> list[str]:
    """The objects, but for those of the landing zone, in which the contact or its number stands."""
    either = re.compile(rf"(?<![\w-]){re.escape(CONTACT)}(?![\w-])|{re.escape(NUMBER)}(?![0-9])")
    keys = [key for prefix in ("lake/", "published/", "exports/") for key in _objects(store, prefix)]
    return [key for key in keys if any(either.search(text) for text in _texts(store, key, scratch))]


def _texts(store: Any, key: str, scratch: Path) -> Iterator[str]:
    content = _read(store, key)
    yield content.decode("latin-1")
    if key.endswith(".parquet"):
        yield str(pq.read_table(io.BytesIO(content)).to_pylist())
    if key.endswith(".duckdb"):
        file = scratch / "looked_at"
        file.write_bytes(content)
        with duckdb.connect() as connection:
            connection.execute(f"attach '{file}' as looked_at (read_only)")
            for schema, table in connection.execute(
                "select schema_name, table_name from duckdb_tables() where database_name = 'looked_at'"
            ).fetchall():
                yield str(connection.execute(f'from looked_at.{schema}."{table}"').fetchall())


# --- stores that fail


@pytest.mark.parametrize(
    ("landing_zone", "variables", "error_text"),
    [
        ("s3://no-such-bucket/landing", {}, "NoSuchBucket"),
        (f"s3://{BUCKET}/landing", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "Could not connect to the endpoint"),
    ],
)
def test_store_errors_have_a_code_and_name_the_path(
    warehouse: AppContext, landing_zone: str, variables: dict[str, str], error_text: str
) -> None:
    with environment(variables):
        refreshed = AppContext(
            warehouse.settings.model_copy(update={"landing": path_of(landing_zone)}), warehouse.paths, warehouse.ledger
        )
        with pytest.raises(ObjectStoreFailed) as raised:
            plan_refresh(refreshed)
    message = str(failure_of(raised.value, warehouse))
    assert message.startswith(f"{Code.OBJECT_STORE}: ")
    assert landing_zone in message
    assert error_text in message


def test_log_files_stay_pending_while_the_store_denies_access(store: Any, warehouse: AppContext) -> None:
    zone = landing_scan.scan(warehouse.settings.landing)
    before = warehouse.ledger.files_fingerprint()
    _require_rights(store, after=0)
    try:
        with pytest.raises(ObjectStoreFailed, match="403") as raised:
            load(StagingJob(warehouse.paths, validate), warehouse.ledger, zone.files_of(Log.ORDERS)[:1])
        with duckdb.connect() as connection, pytest.raises(duckdb.Error) as read:
            enable_s3(connection, warehouse.paths.lake)
            connection.execute(f"from read_parquet('{warehouse.paths.lake}/orders/*/*.parquet')")
    finally:
        _require_rights(store, after=float("inf"))
    assert warehouse.ledger.files_fingerprint() == before
    for error in (raised.value, read.value):
        failure = failure_of(error, warehouse)
        assert failure.code is Code.OBJECT_STORE
        assert "of-the-tests" not in str(failure)


def _require_rights(store: Any, *, after: float) -> None:
    """Has the server ask for rights after so many requests; nobody has any."""
    request = urllib.request.Request(
        f"{store.meta.endpoint_url}/moto-api/reset-auth", str(after).encode(), {"Content-Type": "text/plain"}
    )
    urllib.request.urlopen(request).close()


def test_duckdb_gets_the_credentials_that_boto3_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of-a-session")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://store.example:9000")
    assert store_access(path_of("s3://bucket/prefix")) == {
        "key_id": "an-id",
        "secret": "a-secret",
        "session_token": "of-a-session",
        "region": "eu-west-1",
        "endpoint": "store.example:9000",
        "url_style": "path",
        "use_ssl": "true",
    }
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    access = store_access(path_of("s3://bucket/prefix"))
    assert (access["endpoint"], access["url_style"]) == ("s3.eu-west-1.amazonaws.com", "vhost")
