"""Data folders that older releases have left: kept as archives beside this module, or written anew by the release itself as
it stands in the history. `python -m tests.upgrade.older_releases` writes the archives.

Not here: what this release makes of them (`test_upgrade`).
"""

import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from benchmarks.earlier_release import LAST_OF_0_1, LAST_OF_0_2, RUN, extract_release
from models.enums import Log
from tests.running import CASES, clean_environment, environment_of
from warehouse.transform import dbt_internals

COMMITS = {"0.1": LAST_OF_0_1, "0.2": LAST_OF_0_2}
"""By release, its last commit."""

ARCHIVES = Path(__file__).parent / "archives"

ERASED = "p0-0"
"""A contact of the small case with whom no other row disagrees: where rows do, the smaller contact id decides, and a token
compares otherwise than the id that it stands for.
"""

SETTINGS = {"max_rejected_share": "1", "kept_builds": "5", "insights": "true"}
"""As operators had them in their `.env`: under the names of then. Older releases do not know the last one."""

REJECTED_BEFORE = "2026-01-07.0.csv"
"""A file of receipts with small `t` and `z` in its times: older releases reject these rows."""

RUN_ALL = f"""
import gc, runpy, shlex, sys
gc.set_threshold(1_000_000, 10, 10)
runpy.run_path({str(dbt_internals.__file__)!r})["make_rendering_cheaper"]()
for command in sys.argv[1:]:
    sys.argv = ["sendmart", *shlex.split(command)]
    try:
        exec({RUN!r})
    except SystemExit as ended:
        if ended.code:
            raise
"""
"""In one process, because imports take longer than the commands; with the dbt of this suite, which renders the same in less
time.
"""


def write_landing(landing: Path) -> None:
    """The small case. A file gets times that older releases reject, another a name that they ignore."""
    shutil.copytree(CASES / "small" / "landing", landing)
    receipts = landing / Log.RECEIPTS / REJECTED_BEFORE
    receipts.write_text(re.sub(r"(\d)T([\d:.]+)Z", r"\1t\2z", receipts.read_text(encoding="utf-8")), encoding="utf-8")
    clicks = landing / Log.CLICKS / "2026-01-11" / "gw-1.jsonl"
    clicks.rename(clicks.with_suffix(".json"))


def run_release(release: str, folder: Path) -> None:
    """Writes `landing` and `data` to a folder with the release itself: somebody erased, everything loaded, rows in
    quarantine, a build published.

    Raises:
        NoHistory: its commit is missing.
    """
    write_landing(folder / "landing")
    variables = environment_of(folder / "data", folder / "landing", **SETTINGS)
    del variables["SENDMART_INSIGHTS"]
    program = extract_release(COMMITS[release], folder / "program")
    run = subprocess.run(
        [sys.executable, "-c", RUN_ALL, f"erase --contact {shlex.quote(ERASED)}", "refresh"],
        env={**clean_environment(variables), "PYTHONPATH": str(program)},
        cwd=program,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def unpack(release: str, folder: Path) -> None:
    """Writes the `landing` and `data` of an archive to a folder."""
    with tarfile.open(ARCHIVES / f"{release}.tar.xz") as archive:
        archive.extractall(folder, filter="data")


def _write_archive(release: str) -> None:
    ARCHIVES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, tarfile.open(ARCHIVES / f"{release}.tar.xz", "w:xz") as archive:
        run_release(release, Path(temporary))
        for part in ("data", "landing"):
            archive.add(Path(temporary) / part, part)


if __name__ == "__main__":
    _write_archive("0.2")
