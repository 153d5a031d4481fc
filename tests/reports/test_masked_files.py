"""Downloads of exports with masked numbers."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from reports.csv_download import read_file

OPT_OUT = "reply, STOP from +447700900123"


@pytest.mark.parametrize(
    ("header", "cell"),
    [
        ("contact_id,source", f'"{OPT_OUT}"'),
        ('"contact_id","source"', f'"{OPT_OUT}"'),
        ('\ufeff"Contact",Unsubscribed (Asia/Tokyo),"Source"', f'2026-01-14 12:00:00,"{OPT_OUT}"'),
        ('\ufeff"Kontakt","Quelle"', f'"{OPT_OUT}"'),
    ],
)
def test_numbers_in_free_text_are_masked(tmp_path: Path, header: str, cell: str) -> None:
    file = tmp_path / "attributed_unsubscribes_20260114T033112Z.csv"
    file.write_text(f"{header}\nc1,{cell}\n", encoding="utf-8")
    downloaded = b"".join(read_file(nullcontext(file), "attributed_unsubscribes", masks=True)).decode()
    assert downloaded == f"{header}\nc1,{cell}\n".replace("+447700900123", "+44…23")
    assert b"".join(read_file(nullcontext(file), "attributed_unsubscribes", masks=False)) == file.read_bytes()
