"""Tombstones of erased contacts: keyed hashes, and the tokens that replace the erased values in every row.

The token of a contact is `erased-` and random digits, that of a number a valid number of the unassigned country code 999.
Neither can be computed from the erased value, and figures count both like any other value. The caller records new numbers
(`take_new_numbers`) in the ledger before it stores rows with their tokens.

Not here: erasing values from existing files (`warehouse.erasure`).
"""

import csv
import hmac
import json
import re
import secrets
from collections.abc import Iterable, Iterator
from copy import copy

import polars as pl

from models.enums import Log
from models.rejections import ERASED_RAW_ROW
from warehouse.config import DataPaths
from warehouse.ledger import Erased, Ledger
from warehouse.privacy.keyed_hash import KeyedHash, load_keyed_hash

CONTACT, NUMBER = "contact", "number"
"""The kinds of erased values."""

FREE_TEXT: dict[Log, tuple[str, ...]] = {
    Log.CLICKS: ("url", "user_agent"),
    Log.UNSUBSCRIBES: ("source",),
}
"""The columns that may describe a person in free text. They become null in the rows of an erased contact; no figure uses them."""

_NUMBER_TOKEN_DIGITS = 12
"""With +999, 15 digits: the longest phone number."""
_NUMBER = re.compile(r"\+[0-9]{7,15}")
_WORD = re.compile(r"""[^\s"'<>;,:(){}\[\]|=&\\]+""")
_SHORTEST_WORD = 5
"""Shorter words in a text are not looked up: the `5` in `5 rows` is not a contact id."""


def contact_token() -> str:
    return f"erased-{secrets.token_hex(12)}"


def number_token(number_hash: str, secret: bytes) -> str:
    digits = int.from_bytes(hmac.digest(secret, number_hash.encode(), "sha256")) % 10**_NUMBER_TOKEN_DIGITS
    return f"+999{digits:0{_NUMBER_TOKEN_DIGITS}}"


class ErasureIndex:
    """The erased values by keyed hash. A copy gives the same tokens to the numbers that it finds."""

    def __init__(self, hashes: KeyedHash, erased: Iterable[Erased]) -> None:
        self.hashes = hashes
        self._erased = {(tombstone.kind, tombstone.hash): tombstone for tombstone in erased}
        self._new_numbers: list[Erased] = []
        # The secret is never stored: a token cannot be computed again.
        self._secret = secrets.token_bytes(32)

    def copy(self) -> "ErasureIndex":
        """A copy for another thread. What one of them adds, the other does not see."""
        copied = copy(self)
        copied._erased, copied._new_numbers = dict(self._erased), list(self._new_numbers)
        return copied

    def tokens_by_hash(self, kind: str) -> dict[str, str]:
        """The tokens of all erased contacts, or of all erased numbers, by keyed hash."""
        return {hash_: tombstone.token for (of_kind, hash_), tombstone in self._erased.items() if of_kind == kind}

    def tokens(self, kind: str, values: Iterable[str | None]) -> dict[str, str]:
        """The tokens of those values that are erased."""
        keys = ((value, (kind, self.hashes.of(value))) for value in values if value is not None)
        return {value: self._erased[key].token for value, key in keys if key in self._erased}

    def add_numbers(self, contact_id: str, number_hashes: Iterable[str]) -> None:
        """Erases numbers of an erased contact, too."""
        erasure_id = self._erased[CONTACT, self.hashes.of(contact_id)].erasure_id
        for hash_ in number_hashes:
            if (NUMBER, hash_) not in self._erased:
                tombstone = Erased(NUMBER, hash_, number_token(hash_, self._secret), erasure_id)
                self._erased[NUMBER, hash_] = tombstone
                self._new_numbers.append(tombstone)

    def take_new_numbers(self) -> list[Erased]:
        """The numbers that were added since the last call, for the ledger. Other rows may contain them, too."""
        new_numbers, self._new_numbers = self._new_numbers, []
        return new_numbers

    def erase_rows(self, log: Log, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows of a log, typed by its contract, with tokens for erased values and without the free text of erased contacts.

        An unknown number of an erased contact is erased from now on.
        """
        if "contact_id" not in rows.columns:
            return rows
        contacts = self.tokens(CONTACT, rows["contact_id"].unique())
        is_erased = pl.col("contact_id").is_in(list(contacts))
        changes = [pl.col("contact_id").replace(contacts)] if contacts else []
        if "mobile_number" in rows.columns:
            if contacts:
                pairs = rows.filter(is_erased).select("contact_id", "mobile_number").unique().drop_nulls()
                for contact_id, number in pairs.iter_rows():
                    self.add_numbers(contact_id, [self.hashes.of(number)])
            numbers = self.tokens(NUMBER, rows["mobile_number"].unique())
            changes += [pl.col("mobile_number").replace(numbers)] if numbers else []
        if contacts:
            changes += [pl.when(~is_erased).then(pl.col(name)).alias(name) for name in FREE_TEXT.get(log, ())]
        return rows.with_columns(changes) if changes else rows

    def erase_raw_row(self, raw_row: str, identifiers: Iterable[str] = ()) -> str:
        """A rejected row as it arrived, or `erased` if it, or its `identifiers`, name an erased contact or number."""
        values = {*_possible_values(raw_row), *identifiers}
        is_erased = any((kind, self.hashes.of(value)) in self._erased for value in values for kind in (CONTACT, NUMBER))
        return ERASED_RAW_ROW if is_erased else raw_row

    def erase_text(self, text: str) -> str:
        """A text with tokens for erased values that are words of it."""

        def replace(match: re.Match[str]) -> str:
            word = match.group().rstrip(".")
            if len(word) < _SHORTEST_WORD:
                return match.group()
            token = self.tokens(CONTACT, [word]).get(word) or self.tokens(NUMBER, [word]).get(word)
            return match.group().replace(word, token) if token else match.group()

        return _WORD.sub(replace, text)


def _possible_values(raw_row: str) -> Iterator[str]:
    """Everything that may be a value in a row as it arrived, which may be broken: words, numbers, cells, JSON values."""
    yield from _WORD.findall(raw_row)
    yield from _NUMBER.findall(raw_row)
    try:
        for cells in csv.reader(raw_row.splitlines()):
            yield from (cell.strip() for cell in cells)
    except csv.Error:
        pass  # a cell longer than the csv module's limit: no id is that long
    try:
        record = json.loads(raw_row)
    except (ValueError, RecursionError):
        return
    if isinstance(record, dict):
        yield from (str(value).strip() for value in record.values())


def load_erasure_index(paths: DataPaths, ledger: Ledger) -> ErasureIndex | None:
    """The erased values in the ledger; None if nothing was ever erased. KeyMissing: without the key, none is recognised."""
    erased = ledger.erased()
    return ErasureIndex(load_keyed_hash(paths, ledger), erased) if erased else None
