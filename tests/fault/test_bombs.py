"""Small files that ask for much memory: a load takes all of them with at most 1 GB."""

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.enums import Log
from tests.running import clean_environment
from warehouse.config.settings import PROJECT

MEMORY_LIMIT = 1 << 30
"""Bytes, of the whole process: Python, its libraries, and the load."""

LOAD = """
import json, re, sys
from pathlib import Path
from models.enums import Log
from tests.loads import load_log
loaded = load_log(Path(sys.argv[1]), Path(sys.argv[2]), Log.UNSUBSCRIBES, 1)
results = {file.source_file: (file.refusal, file.records, file.accepted) for file in loaded}
# Not getrusage: its maximum begins with that of the process that started this one.
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
print(json.dumps([results, int(peak[1]) * 1024]))
"""

HEADER = b"contact_id,unsubscribed_at,source\n"
GOOD = b"k1,2026-01-05T12:00,link\n"


def _table(**columns: object) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink, compression="zstd")
    return sink.getvalue().to_pybytes()


def _dictionary_bomb(rows: int, value_bytes: int, column: str) -> bytes:
    repeated = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["x" * value_bytes]))
    names = ["k1"] * rows, ["2026-01-05T12:00"] * rows
    return _table(contact_id=names[0], unsubscribed_at=names[1], **{column: repeated})


def _list_bomb(values: int, column: str) -> bytes:
    numbers = pa.RunEndEncodedArray.from_arrays(pa.array([values], pa.int64()), pa.array([7], pa.int32()))
    lists = pa.LargeListArray.from_arrays(pa.array([0, values]), pa.compute.run_end_decode(numbers))
    return _table(contact_id=["k1"], unsubscribed_at=["2026-01-05T12:00"], **{column: lists})


BOMBS: dict[str, tuple[str, Callable[[int], bytes], tuple[str | None, int | None]]] = {
    "broken JSON lines": ("jsonl.gz", lambda n: gzip.compress(b"{\n" * (600_000 * n), 1), (None, 0)),
    "broken CSV lines": ("csv.gz", lambda n: gzip.compress(HEADER + b"x\n" * (600_000 * n), 1), (None, 0)),
    "long broken lines": (
        "csv.gz",
        lambda n: gzip.compress(HEADER + (b"x" * 500_000 + b"\n") * (400 * n), 1),
        (None, 0),
    ),
    "lines without an end": ("csv.gz", lambda n: gzip.compress(HEADER + GOOD + b"x" * (400_000_000 * n), 1), (None, 1)),
    "lines with an open quote": ("csv.gz", lambda n: gzip.compress(HEADER + b'"\n' * (20_000 * n), 1), (None, 0)),
    "blank lines": ("csv.gz", lambda n: gzip.compress(HEADER + b"\n" * (3_000_000 * n) + GOOD, 1), (None, 1)),
    "many columns": (
        "csv",
        lambda n: b",".join(b"%x" % i for i in range(150_000)) + b"\n",
        ("columns; a file may", None),
    ),
    "many keys": (
        "jsonl",
        lambda n: b"".join(json.dumps({f"key {i}": 1}).encode() + b"\n" for i in range(70_000 * n)),
        (None, 0),
    ),
    "a nested record": ("jsonl", lambda n: b'{"source": ' + b"[" * 400_000 + b"\n" + GOOD, (None, 0)),
    "a dictionary of a long value": (
        "parquet",
        lambda n: _dictionary_bomb(100_000, 1_050_000, "source"),
        ("repeat long", None),
    ),
    "a dictionary of a value": ("parquet", lambda n: _dictionary_bomb(4_000 * n, 60_000, "source"), (None, 4_000)),
    "a dictionary that is not used": ("parquet", lambda n: _dictionary_bomb(100_000, 1_050_000, "x"), (None, 100_000)),
    "a long list": ("parquet", lambda n: _list_bomb(20_000_000 * n, "source"), ("must be text", None)),
    "a long list that is not used": ("parquet", lambda n: _list_bomb(20_000_000 * n, "x"), (None, 1)),
}
"""By name: the extension, the content at a size, and the outcome: a part of the refusal, or the number of accepted rows."""


def test_a_load_of_every_bomb_takes_at_most_one_gigabyte(tmp_path: Path) -> None:
    _load_bombs(tmp_path, list(BOMBS), 1)


@pytest.mark.torture
@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.parametrize("size", [1, 10])
def test_a_load_of_a_bomb_takes_at_most_one_gigabyte(tmp_path: Path, name: str, size: int) -> None:
    _load_bombs(tmp_path, [name], size)


def _load_bombs(tmp_path: Path, names: list[str], size: int) -> None:
    """Loads these bombs and a good file in a process of its own."""
    folder = tmp_path / "landing" / Log.UNSUBSCRIBES
    folder.mkdir(parents=True)
    files = {name: f"2026-01-{day:02}.{BOMBS[name][0]}" for day, name in enumerate(names, 1)}
    for name, file in files.items():
        (folder / file).write_bytes(BOMBS[name][1](size))
    (folder / "2026-02-01.csv").write_bytes(HEADER + GOOD)
    run = subprocess.run(
        [sys.executable, "-c", LOAD, str(tmp_path / "landing"), str(tmp_path / "data")],
        env=clean_environment({}), cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-2000:]
    results, peak_bytes = json.loads(run.stdout.splitlines()[-1])
    for name, file in files.items():
        refusal, accepted = BOMBS[name][2]
        bomb = results[file]
        if refusal is None:
            assert bomb[0] is None, name
            assert bomb[2] in (accepted, (accepted or 0) * size), name
        else:
            assert refusal in bomb[0], name
    assert results["2026-02-01.csv"] == [None, 1, 1], "the other file is loaded"
    assert peak_bytes < MEMORY_LIMIT, f"{peak_bytes:,} bytes"
