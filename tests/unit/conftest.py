"""What the tests of single modules share: reading one file whole, and settings of which nothing is inherited."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from warehouse.config import settings as settings_module
from warehouse.ingest.readers import content as reader_content
from warehouse.ingest.readers import open_records
from warehouse.ingest.readers.records import FileFormat, Layout

SMALL_BLOCK = 5
"""So few bytes that records of a few fields lie across blocks, in every which way."""


@dataclass
class FileReading:
    """All that a file gave, whatever the batches it came in; an empty text stands as None."""

    rows: dict[int, tuple[str | None, ...]] = field(default_factory=dict)
    raw: dict[int, str] = field(default_factory=dict)
    broken: dict[int, tuple[str, ...]] = field(default_factory=dict)
    broken_raw: dict[int, str] = field(default_factory=dict)
    faults: set[tuple[int, str, str]] = field(default_factory=set)
    unknown_columns: set[str] = field(default_factory=set)
    count: int = 0


def read_whole(path: Path, layout: Layout, file_format: FileFormat | None = None) -> FileReading:
    reading = FileReading()
    for records in open_records(path, layout, file_format):
        numbers = records.row_numbers.to_list()
        assert records.text.columns == list(layout.columns)
        for number, values in zip(numbers, records.text.iter_rows(), strict=True):
            assert number not in reading.rows
            reading.rows[number] = tuple(value or None for value in values)
        reading.raw |= dict(zip(numbers, records.raw(range(len(numbers))), strict=True))
        for broken in records.broken:
            assert broken.row_number not in reading.broken
            reading.broken[broken.row_number] = broken.reasons
            reading.broken_raw[broken.row_number] = broken.raw
        reading.faults |= {(numbers[fault.index], fault.column, fault.rule) for fault in records.faults}
        reading.unknown_columns |= records.unknown_columns
        reading.count += records.count
    assert reading.count == len(reading.rows) + len(reading.broken)
    assert sorted([*reading.rows, *reading.broken]) == list(range(1, reading.count + 1))
    return reading


@pytest.fixture
def read_file(tmp_path, monkeypatch):
    """Reads bytes as a log file of a name: at one go, or in blocks of so many bytes."""

    def read(name: str, content: bytes, layout: Layout, block_bytes: int | None = None) -> FileReading:
        path = tmp_path / name
        path.write_bytes(content)
        with monkeypatch.context() as patch:
            if block_bytes:
                patch.setattr(reader_content, "BLOCK_BYTES", block_bytes)
            return read_whole(path, layout)

    return read


@pytest.fixture
def bare_environment(tmp_path, monkeypatch) -> Path:
    """An environment without settings; gives the place of the `.env`, which is not there yet."""
    for name in list(os.environ):
        if name.upper().startswith(settings_module.PREFIX):
            monkeypatch.delenv(name)
    dotenv = tmp_path / "settings.env"
    monkeypatch.setattr(settings_module, "DOTENV", dotenv)
    return dotenv
