"""Generated landing zones, small and full of edge cases; the same seed gives the same zone.

Here rows are distributed over files, with everything else that a folder may hold.

Not here: the events (`stories`), the notations of values (`renderings`), rows that break the rules (`faults`).
"""

import gzip
import random
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa

from tests.oracle import faults as bad
from tests.oracle.exports import SOURCES, write_exports
from tests.oracle.logs import LOGS
from tests.oracle.renderings import (
    EXTENSIONS,
    Line,
    compressed,
    csv_bytes,
    csv_columns,
    parquet_bytes,
    parquet_file,
    render,
    zstd,
)
from tests.oracle.stories import tell

FIRST_DAY = date(2026, 1, 5)
# Some long after the others: figures are final, or known late.
LOG_DAYS = (*range(9), *range(9), 14, 18, 21)
FORMS = ("day", "part", "folder", "partition", "folders")


def write_landing_zone(
    folder: Path,
    seed: int,
    stories: int,
    *,
    faults: bool = True,
    refused: bool = False,
    long_lines: bool = False,
    fault_share: float = 1.0,
    crumbs: int = 0,
    exports: bool = False,
    crowd: bool = False,
) -> None:
    """Fills `folder` with a landing zone of so many stories.

    Of each log, so many rows lie in files of their own, `crumb-<number>.jsonl`.

    `faults` adds bad rows and broken lines, `fault_share` of every kind known (each in a format drawn by the seed);
    `refused` adds files that are refused whole; `long_lines` adds lines beyond 1 MiB. With `exports`, a third of the receipts
    and orders lies in raw exports, which the mappings of `exports.write_mappings` read. `crowd` adds as many messages as an
    incident of delivery needs.
    """
    rng = random.Random(f"landing zone {seed}")
    rows = tell(rng, stories, crowd=crowd)
    for log in LOGS:
        paths = _paths(rng, log)
        rng.shuffle(rows[log])
        for number, row in enumerate(rows[log][:crumbs]):
            _write(folder / log / f"{FIRST_DAY}/crumb-{number}.jsonl", render(rng, "jsonl", log, [row]))
        rows[log] = rows[log][crumbs:]
        shares: dict[str, list[dict | Line]] = {path: [] for path in paths}
        to_distribute = rows[log] + (_some(rng, bad.bad_rows(rng, log), fault_share) if faults else [])
        if exports and log in SOURCES:
            rng.shuffle(to_distribute)
            third = len(to_distribute) // 3
            write_exports(rng, folder, log, to_distribute[:third], FIRST_DAY)
            to_distribute = to_distribute[third:]
        for row in to_distribute:
            shares[rng.choice(paths)].append(row)
        for content in shares.values():
            rng.shuffle(content)
        if faults:
            _add_bad_json_lines(rng, log, shares, fault_share, long_lines)
        for path, content in shares.items():
            _write(folder / path, _file(rng, log, path, content, faults, fault_share, long_lines))
        _bystanders(rng, folder, log)
        if refused:
            _refused_files(rng, folder, log)
    _write(folder / "README.txt", b"not a log\n")


def _some(rng: random.Random, things: list, share: float) -> list:
    return rng.sample(things, round(len(things) * share))


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _paths(rng: random.Random, log: str) -> list[str]:
    """Files of every extension and form of name, over some days with gaps."""
    paths: list[str] = []
    extensions: list[str] = []
    for index in range(rng.randint(9, 13)):
        # Each extension comes once before any comes again.
        extensions = extensions or rng.sample(EXTENSIONS, len(EXTENSIONS))
        extension = extensions.pop()
        if rng.random() < 0.2:
            extension = rng.choice((extension.upper(), extension.title()))
        day = FIRST_DAY + timedelta(days=rng.choice(LOG_DAYS))
        folders = rng.choice(("", "hour=08/", "eu/08/"))
        name = {
            "day": f"{day}.{extension}",
            "part": f"{day}.{rng.choice((f'{index:04d}', str(index)))}.{extension}",
            "folder": f"{day}/{rng.choice(('gateway-eu', 'gw', 'export of.today', 'zürich'))}-{index}.{extension}",
            "partition": f"{rng.choice(('date', 'dt', 'Tag'))}={day}/{folders}part-{index}.{extension}",
            "folders": f"{day:%Y/%m/%d}/{folders}{index}.{extension}",
        }[FORMS[index % len(FORMS)]]
        paths.append(f"{log}/{name}")
    return list(dict.fromkeys(paths))


def _extension(path: str) -> str:
    # Longest first: .csv.gz also ends in a name's last dot and gz.
    return max((extension for extension in EXTENSIONS if path.lower().endswith(f".{extension}")), key=len)


def _add_bad_json_lines(
    rng: random.Random, log: str, shares: dict[str, list[dict | Line]], fault_share: float, long_lines: bool
) -> None:
    paths = [path for path in shares if "json" in _extension(path)]
    lines = _some(rng, bad.bad_json_lines(rng, log), fault_share) + (bad.long_lines(log, None) if long_lines else [])
    for line in lines:
        share = shares[rng.choice(paths)]
        share.insert(rng.randint(0, len(share)), line)


def _file(
    rng: random.Random,
    log: str,
    path: str,
    content: list[dict | Line],
    faults: bool,
    fault_share: float,
    long_lines: bool,
) -> bytes:
    extension = _extension(path)
    if not extension.startswith("csv") or not faults:
        return render(rng, extension, log, content)
    # Broken lines depend on the columns, so these are settled first.
    columns = csv_columns(rng, log, content)
    lines = bad.bad_csv_lines(rng, log, columns)
    lines = lines[: round(rng.randint(0, 8) * fault_share)] + (bad.long_lines(log, columns) if long_lines else [])
    for line in lines:
        content.insert(rng.randint(0, len(content)), line)
    written = csv_bytes(rng, log, content, columns)
    return compressed(rng, extension, written)


def _bystanders(rng: random.Random, folder: Path, log: str) -> None:
    """Files without rows, files that are still being written, and names that are no log file's."""
    day = FIRST_DAY + timedelta(days=rng.randint(0, 8))
    header = ",".join(LOGS[log])
    good = csv_bytes(random.Random(0), log, [bad.plain_row(log, "bystander")], list(LOGS[log]))
    for name, content in {
        f"{day}/empty-{rng.randint(0, 9)}.csv": b"",
        f"{day}/empty.csv.gz": b"",
        f"{day}/empty.parquet": b"",
        f"{day}.empty.jsonl": b"",
        f"{day}/nothing.csv.gz": gzip.compress(b"", mtime=0),
        f"{day}/nothing.jsonl.gz": gzip.compress(b"", mtime=0),
        f"{day}/header.csv": b"\xef\xbb\xbf" + header.encode() + rng.choice((b"", b"\n", b"\r\n\r\n")),
        f"{day}/header.csv.gz": gzip.compress(header.encode() + b"\n", mtime=0),
        f"{day}/header.parquet": parquet_bytes(rng, log, [], list(LOGS[log])),
    }.items():
        if rng.random() < 0.4:
            _write(folder / log / name, content)
    for name in (
        *(f"{day}.csv.tmp", f"{day}/x.csv.part", f"{day}/.x.csv", f"_{day}.csv", f".{day}.csv"),
        f"date={day}/_temporary/0/x.csv",
    ):
        if rng.random() < 0.3:
            _write(folder / log / name, good)
    for name in (
        "2026-02-30.csv",
        "today.csv",
        f"{day}.txt",
        f"{day}/deep/er.csv",
        f"{day}.csv.zip",
        f"eu/date={day}/x.csv",
    ):
        if rng.random() < 0.3:
            _write(folder / log / name, good)


def _refused_files(rng: random.Random, folder: Path, log: str) -> None:
    """Files that are refused, each with a row that would show up if it were loaded."""
    day = FIRST_DAY + timedelta(days=rng.randint(0, 8))
    columns = list(LOGS[log])
    required = rng.choice([name for name, column in LOGS[log].items() if column.required])
    row = bad.plain_row(log, "refused")
    plain = random.Random(0)
    content = csv_bytes(plain, log, [row], columns)
    packed = gzip.compress(content, mtime=0)
    parquet = parquet_bytes(plain, log, [row], columns)
    for name, refused in {
        f"{day}/truncated.csv.gz": packed[:-9],
        f"{day}/corrupt.csv.gz": packed[:-8] + bytes(byte ^ 255 for byte in packed[-8:]),
        f"{day}/twice.jsonl.gz": gzip.compress(gzip.compress(b'{"a": 1}\n', mtime=0), mtime=0),
        f"{day}/truncated.csv.zst": zstd(content)[:-3],
        f"{day}/array.json": b'[{"a": 1},\n',
        f"{day}/truncated.parquet": parquet[:-20],
        f"{day}/text.parquet": content,
        f"{day}.lacking.csv": csv_bytes(plain, log, [row], [name for name in columns if name != required]),
        f"{day}.twice.csv": csv_bytes(plain, log, [row], [*columns, required]),
        f"{day}/lacking.parquet": parquet_bytes(plain, log, [row], [name for name in columns if name != required]),
        f"{day}/twice.parquet": parquet_file(plain, ["a", "a"], [pa.array([1]), pa.array([2])]),
    }.items():
        _write(folder / log / name, refused)
