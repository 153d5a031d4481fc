"""The sample's clock and ids, which its other modules count in.

Not here: rows or files.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
import pyarrow as pa

#: The first log date of a sample whose end is not given: fixed, so that the same arguments always give the same files.
FIRST_LOG_DATE = date(2026, 1, 1)

SECOND = 1_000_000  # all moments are microseconds since 1970, UTC
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_ALPHABET = np.frombuffer(b"0123456789abcdefghjkmnpqrstvwxyz", dtype=np.uint8)  # without i, l, o, u, which are misread


@dataclass(frozen=True)
class Clock:
    """The days of a sample: day 0 is the first log date."""

    first_log_date: date

    @property
    def first_moment(self) -> int:
        """Midnight UTC of day 0, in microseconds since 1970."""
        return (self.first_log_date - date(1970, 1, 1)).days * DAY

    def date_of(self, day: int) -> date:
        return self.first_log_date + timedelta(days=day)

    def midnight_of(self, day: int) -> int:
        """Midnight UTC of a day, in microseconds since 1970."""
        return self.first_moment + day * DAY


def ids(prefix: str, numbers: np.ndarray, length: int, key: int) -> pl.Series:
    """For N numbers, N ids such as `msg_7k2m…`: `prefix`, and `length` characters that look random.

    Numbers must be below 32 ** length. Different numbers give different ids.
    """
    bits = 5 * length
    mask = np.uint64(2**bits - 1)
    scrambled = (np.asarray(numbers).astype(np.uint64) + np.uint64(key)) & mask
    # A product with an odd factor and an xor with a right shift are both one-to-one on `bits` bits: no two ids are equal.
    for factor in (0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93):
        scrambled = (scrambled * np.uint64(factor)) & mask
        scrambled ^= scrambled >> np.uint64(bits // 2)
    width = len(prefix) + length
    text = np.empty((len(scrambled), width), dtype=np.uint8)
    text[:, : len(prefix)] = np.frombuffer(prefix.encode("ascii"), dtype=np.uint8)
    for position in range(length):
        text[:, len(prefix) + position] = _ALPHABET[(scrambled >> np.uint64(5 * position)) & np.uint64(31)]
    offsets = np.arange(len(scrambled) + 1, dtype=np.int64) * width
    strings = pa.LargeStringArray.from_buffers(len(scrambled), pa.py_buffer(offsets), pa.py_buffer(text))
    return pl.Series(pl.from_arrow(strings))
