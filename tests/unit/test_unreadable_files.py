"""Special files under the name of a log file, files that cannot be read, and files that change while they are read.

Not here: the content of files (`test_broken_input`).
"""

import gzip
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.enums import Log
from quality.admission import validate
from tests.unit.test_load import HEADER, LoadFolder, row, rows
from warehouse.ingest.readers import content as reader_content
from warehouse.ingest.readers import open_records, parquet_files
from warehouse.ingest.readers.records import Layout
from warehouse.landing.scan import scan

NOBODY = 65534


@pytest.fixture
def warehouse(tmp_path) -> LoadFolder:
    return LoadFolder(tmp_path)


# Special files


def test_a_special_file_is_reported_and_never_opened(warehouse):
    """Opening a pipe for reading would block."""
    good = warehouse.drop("2026-01-01.csv", rows(1))
    folder = good.parent
    os.mkfifo(folder / "2026-01-02.csv")
    (folder / "2026-01-03.csv").mkdir()
    (folder / "2026-01-04.csv").symlink_to("nowhere")
    (folder / "2026-01-05.csv").symlink_to("2026-01-05.csv")
    (folder / "2026-01-06.csv").symlink_to("/dev/zero")
    (folder / "2026-01-07").symlink_to("2026-01-07")
    assert list(warehouse.load()) == ["2026-01-01.csv"]
    ignored = ["2026-01-02.csv", "2026-01-03.csv", "2026-01-04.csv", "2026-01-05.csv", "2026-01-07"]
    device = "unsubscribes/2026-01-06.csv (a link out of the landing zone; SENDMART_FOLLOW_LINKS allows it)"
    assert sorted(scan(warehouse.landing).ignored) == sorted([*(f"unsubscribes/{name}" for name in ignored), device])


def test_links_within_the_landing_zone_are_followed_and_others_if_a_setting_allows_it(warehouse, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.csv").write_bytes(rows(1))
    folder = warehouse.drop("2026-01-01.csv", rows(1)).parent
    (folder / "2026-01-02.csv").symlink_to(tmp_path / "elsewhere" / "a.csv")
    (folder / "2026-01-03").symlink_to(tmp_path / "elsewhere")
    (folder / "2026-01-04.csv").symlink_to("2026-01-01.csv")
    (folder.parent / "clicks").symlink_to(tmp_path / "elsewhere")
    outside = [
        f"{name} (a link out of the landing zone; SENDMART_FOLLOW_LINKS allows it)"
        for name in ("clicks", "unsubscribes/2026-01-02.csv", "unsubscribes/2026-01-03")
    ]
    assert scan(warehouse.landing).ignored == tuple(outside)
    assert sorted(warehouse.load()) == ["2026-01-01.csv", "2026-01-04.csv"]
    followed = [file.source_file for file in scan(warehouse.landing, follows_links=True).files_of(Log.UNSUBSCRIBES)]
    assert followed == ["2026-01-01.csv", "2026-01-02.csv", "2026-01-03/a.csv", "2026-01-04.csv"]


def test_a_landing_zone_that_is_a_link_is_followed(warehouse, tmp_path):
    warehouse.drop("2026-01-01.csv", rows(1))
    (tmp_path / "link").symlink_to(warehouse.landing)
    assert len(scan(tmp_path / "link").files) == 1


@pytest.mark.parametrize("name", ["2026-01-01.csv", "2026-01-01.jsonl", "2026-01-01.csv.gz", "2026-01-01.parquet"])
@pytest.mark.parametrize("swap", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_a_file_that_is_swapped_for_a_pipe_or_a_device_does_not_block(warehouse, name, swap):
    path = warehouse.drop(name, rows(1))
    (file,) = scan(warehouse.landing).files
    path.unlink()
    swap(path)
    with pytest.raises(OSError, match="not a regular file"):
        file.sha256()
    with pytest.raises(OSError, match="not a regular file"):
        list(open_records(path, Layout(("contact_id",), ())))


# Files that cannot be read


@pytest.fixture
def unprivileged() -> Iterator[LoadFolder]:
    """A warehouse of a user whom the system does forbid things: root becomes somebody else for as long."""
    folder = Path(tempfile.mkdtemp())
    is_root = os.geteuid() == 0
    try:
        LoadFolder(folder / "warm").drop("2026-01-01.csv", rows(1))
        LoadFolder(folder / "warm").load()  # what is imported late may not be readable to others
        if is_root:
            os.chown(folder, NOBODY, NOBODY)
            try:
                os.seteuid(NOBODY)
            except PermissionError as error:
                pytest.skip(f"root may read everything, and may not become another user here: {error}")
        yield LoadFolder(folder / "own")
    finally:
        if is_root:
            os.seteuid(0)
        shutil.rmtree(folder)


@pytest.mark.parametrize("extension", ["csv", "jsonl.gz", "parquet"])
def test_a_file_without_permission_is_refused_and_loaded_once_it_is_readable(unprivileged, extension):
    warehouse, name = unprivileged, f"2026-01-05.{extension}"
    warehouse.drop("2026-01-06.csv", rows(2))
    path = warehouse.drop(name, b"")
    path.chmod(0)
    loaded = warehouse.load()
    assert loaded["2026-01-06.csv"].accepted == 2
    assert loaded[name].refusal == "cannot be read: Permission denied; each refresh tries again"
    assert [file.source_file for file in warehouse.ledger.files() if file.refusal] == [name]
    # Each refresh tries to read it again, but there is nothing new to load.
    assert warehouse.load() == {}
    path.chmod(0o644)
    assert warehouse.load()[name].refusal is None
    assert warehouse.load() == {}


def test_a_file_that_becomes_unreadable_loads_again_once_it_is_readable(unprivileged):
    warehouse = unprivileged
    path = warehouse.drop("2026-01-05.csv", rows(3))
    warehouse.load()
    path.chmod(0)
    assert "Permission denied" in warehouse.load()["2026-01-05.csv"].refusal
    assert warehouse.contacts() == []
    path.chmod(0o644)
    assert warehouse.load()["2026-01-05.csv"].accepted == 3


@pytest.mark.parametrize("name", ["2026-01-05.csv", "2026-01-05.parquet"])
def test_a_read_error_within_a_file_refuses_it_until_the_next_refresh(warehouse, monkeypatch, name):
    path = warehouse.drop(name, rows(3))
    if name.endswith("parquet"):
        write_parquet(path, 3)
    warehouse.drop("2026-01-06.csv", rows(1))

    def failing(*_, **__):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(reader_content, "_decompressed", failing)
        patch.setattr(parquet_files.pq, "ParquetFile", failing)
        assert warehouse.load()[name].refusal.startswith("cannot be read: Input/output error")
    assert warehouse.load()[name].accepted == 3


def test_a_write_error_is_not_attributed_to_the_log_file(warehouse):
    """The data folder is gone, not the log file: the load must stop, or the file would count as one that disappeared."""
    warehouse.drop("2026-01-05.csv", rows(3))

    def failing(log, text, faults):
        raise FileNotFoundError(2, "No such file or directory", "lake")

    with pytest.raises(FileNotFoundError):
        warehouse.load(batch_rows=1, validate=failing)


# Files that change while they are read

COUNT = 800


def write_parquet(path: Path, count: int) -> None:
    contacts = [f"k{number}" for number in range(1, count + 1)]
    table = pa.table({"contact_id": contacts, "unsubscribed_at": [datetime(2026, 1, 5)] * count})
    pq.write_table(table, path, row_group_size=40)


def write(path: Path, count: int) -> None:
    if path.name.endswith("parquet"):
        write_parquet(path, count)
        return
    content = rows(count)
    if "jsonl" in path.name:
        line = '{"contact_id": "k%d", "unsubscribed_at": "2026-01-05T12:00"}\n'
        content = "".join(line % number for number in range(1, count + 1)).encode()
    path.write_bytes(gzip.compress(content) if path.name.endswith("gz") else content)


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(HEADER + row(1))


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def replace(path: Path) -> None:
    beside = path.with_name(f".{path.name}")
    write(beside, COUNT - 1)
    beside.replace(path)


@pytest.mark.parametrize("extension", ["csv", "jsonl.gz", "parquet"])
@pytest.mark.parametrize("change", [append, cut, replace, Path.unlink])
def test_a_file_that_changes_between_batches_keeps_its_rows_until_the_next_load(
    warehouse, monkeypatch, extension, change
):
    monkeypatch.setattr(reader_content, "BLOCK_BYTES", 500)
    monkeypatch.setattr(parquet_files, "ROWS_PER_BATCH", 40)
    name = f"2026-01-05.{extension}"
    path = warehouse.drop(name, b"")
    write(path, 3)
    warehouse.load()
    write(path, COUNT)
    batches = []

    def changing(log, text, faults):
        batches.append(text.height)
        if len(batches) == 2:
            change(path)
        return validate(log, text, faults)

    assert warehouse.load(batch_rows=120, validate=changing) == {}
    assert len(batches) >= 2
    assert warehouse.contacts() == ["k1", "k2", "k3"]
    assert (warehouse.quarantine(), warehouse.temp_files()) == ([], [])
    if path.exists():
        write(path, COUNT)
    assert [file.accepted for file in warehouse.load().values()] == [COUNT] * path.exists()
