"""LibreOffice opens exported text, with each separator that it may split cells at: no cell is a formula.

Not here: which text is marked, and how (`test_exports`).
"""

import csv
import shutil
import subprocess
from pathlib import Path

import duckdb
import pytest

from tests.unit.test_exports import FORMULAS, HARMLESS
from warehouse.export.formula_cells import mark_sql

pytestmark = pytest.mark.torture

SEPARATORS = {"comma": 44, "semicolon": 59, "tab": 9}
"""Their codes in LibreOffice's options of a CSV file."""


def _formulas_in(folder: Path, texts: list[str], separator: int) -> int:
    file = folder / "export.csv"
    with file.open("w", encoding="utf-8", newline="") as opened:
        csv.writer(opened, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(["x", text, "x"] for text in texts)
    # In quotes, UTF-8, from the first line; text in quotes is evaluated, as somebody may choose when opening the file.
    options = f"CSV:{separator},34,76,1,,0,false,true,false,false,false,-1"
    profile = f"-env:UserInstallation=file://{folder}/profile"
    convert = [
        "soffice",
        profile,
        "--headless",
        f"--infilter={options}",
        "--convert-to",
        "fods",
        "--outdir",
        folder,
        file,
    ]
    subprocess.run(convert, capture_output=True, check=True, timeout=300)
    return (folder / "export.fods").read_text(encoding="utf-8").count("table:formula=")


@pytest.mark.parametrize("separator", SEPARATORS.values(), ids=SEPARATORS)
def test_libreoffice_finds_no_formula_in_marked_text(tmp_path: Path, separator: int) -> None:
    if not shutil.which("soffice"):
        pytest.skip("NOT TESTED: LibreOffice is not installed")
    texts = [*FORMULAS, *HARMLESS]
    assert _formulas_in(tmp_path, texts, separator) > 0, "without marks there are some"
    with duckdb.connect() as connection:
        marked = [connection.execute(f"select {mark_sql('$text')}", {"text": text}).fetchall()[0][0] for text in texts]
    assert _formulas_in(tmp_path, marked, separator) == 0
