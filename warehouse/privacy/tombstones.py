"""What is remembered of the erased: keyed hashes and the tokens in their place. Rows are read so, whenever they come.

A token of a contact is `erased-` and random digits, one of a number a valid number of country code 999, which belongs to
nobody. Neither can be worked out from what it stands for, and every figure counts them like any other. The ledger is not
written here: whoever finds numbers notes them (`take_found`), before rows with their tokens are put in place.

Not here: going through what lies on disk (`warehouse.erasure.erase`).
"""

import csv
import hmac
import json
import re
import secrets
from collections.abc import Iterable, Iterator

import polars as pl

from models.enums import Log
from models.rejections import ERASED_RAW_ROW
from warehouse.foundation import DataPaths, Ledger, Settings
from warehouse.foundation import Erased as Erased
from warehouse.privacy.keyed_hash import KeyedHash, load_keyed_hash

CONTACT, NUMBER = "contact", "number"

FREE_TEXT: dict[Log, tuple[str, ...]] = {
    Log.CLICKS: ("url", "user_agent"),
    Log.UNSUBSCRIBES: ("source",),
}
"""What a contact's row may say of a person in words; no figure is made from it."""

_NUMBER_DIGITS = 12  # after +999: 15 in all, the most that a number has
_NUMBER = re.compile(r"\+[0-9]{7,15}")
_WORD = re.compile(r"""[^\s"'<>;,:(){}\[\]|=&\\]+""")
_SHORTEST_WORD = 5
"""Shorter words of a text are left: `5` in `5 rows` is nobody."""


def contact_token() -> str:
    return f"erased-{secrets.token_hex(12)}"


def number_token(number_hash: str, secret: bytes) -> str:
    digits = int.from_bytes(hmac.digest(secret, number_hash.encode(), "sha256")) % 10**_NUMBER_DIGITS
    return f"+999{digits:0{_NUMBER_DIGITS}}"


class ErasureIndex:
    """What was erased, by keyed hash. Of a copy, in another process, the tokens of what it finds are the same."""

    def __init__(self, hashes: KeyedHash, erased: Iterable[Erased]) -> None:
        self.hashes = hashes
        self._erased = {(one.kind, one.hash): one for one in erased}
        self._found: list[Erased] = []
        # Thrown away with this: nobody works a token out again.
        self._secret = secrets.token_bytes(32)

    def hashed(self, kind: str) -> dict[str, str]:
        """By keyed hash, the tokens of all contacts, or all numbers."""
        return {hash: one.token for (of_kind, hash), one in self._erased.items() if of_kind == kind}

    def tokens(self, kind: str, values: Iterable[str | None]) -> dict[str, str]:
        """Of these values, those that were erased, with their tokens."""
        hashed = ((value, (kind, self.hashes.of(value))) for value in values if value is not None)
        return {value: self._erased[key].token for value, key in hashed if key in self._erased}

    def find_numbers(self, contact_id: str, number_hashes: Iterable[str]) -> None:
        """Takes numbers of an erased contact for erased from now on."""
        erasure_id = self._erased[CONTACT, self.hashes.of(contact_id)].erasure_id
        for hash in number_hashes:
            if (NUMBER, hash) not in self._erased:
                found = Erased(NUMBER, hash, number_token(hash, self._secret), erasure_id)
                self._erased[NUMBER, hash] = found
                self._found.append(found)

    def take_found(self) -> list[Erased]:
        """The numbers found since this was last asked, for the ledger: they may stand elsewhere, too."""
        found, self._found = self._found, []
        return found

    def rows(self, log: Log, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows of a log, as typed by its contract, with tokens for what was erased and without its free text.

        A number that an erased contact was not known to have is taken for erased.
        """
        if "contact_id" not in rows.columns:
            return rows
        contacts = self.tokens(CONTACT, rows["contact_id"].unique())
        is_erased = pl.col("contact_id").is_in(list(contacts))
        changes = [pl.col("contact_id").replace(contacts)] if contacts else []
        if "mobile_number" in rows.columns:
            if contacts:
                of_erased = rows.filter(is_erased).select("contact_id", "mobile_number").unique().drop_nulls()
                for contact_id, number in of_erased.iter_rows():
                    self.find_numbers(contact_id, [self.hashes.of(number)])
            numbers = self.tokens(NUMBER, rows["mobile_number"].unique())
            changes += [pl.col("mobile_number").replace(numbers)] if numbers else []
        if contacts:
            changes += [pl.when(~is_erased).then(pl.col(name)).alias(name) for name in FREE_TEXT.get(log, ())]
        return rows.with_columns(changes) if changes else rows

    def raw_row(self, raw: str) -> str:
        """A row that was rejected, as it came; `erased` where it names a contact or a number that was."""
        values = set(_values(raw))
        is_erased = any((kind, self.hashes.of(value)) in self._erased for value in values for kind in (CONTACT, NUMBER))
        return ERASED_RAW_ROW if is_erased else raw

    def text(self, text: str) -> str:
        """A text in words, with tokens for what was erased."""

        def read(found: re.Match[str]) -> str:
            word = found.group().rstrip(".")
            if len(word) < _SHORTEST_WORD:
                return found.group()
            token = self.tokens(CONTACT, [word]).get(word) or self.tokens(NUMBER, [word]).get(word)
            return found.group().replace(word, token) if token else found.group()

        return _WORD.sub(read, text)


def _values(raw: str) -> Iterator[str]:
    """Whatever may be a value in a row as it came, which may be broken: words, cells, the values of an object."""
    yield from _WORD.findall(raw)
    yield from _NUMBER.findall(raw)
    try:
        for cells in csv.reader(raw.splitlines()):
            yield from (cell.strip() for cell in cells)
    except csv.Error:
        pass  # a cell beyond what the csv module takes: no id is so long
    try:
        told = json.loads(raw)
    except (ValueError, RecursionError):
        return
    if isinstance(told, dict):
        yield from (str(value).strip() for value in told.values())


def erasure_index(settings: Settings, paths: DataPaths, ledger: Ledger) -> ErasureIndex | None:
    """What was erased; None where nothing ever was.

    Raises:
        KeyMissing: without the key nobody can be recognised.
    """
    erased = ledger.erased()
    return ErasureIndex(load_keyed_hash(settings, paths, ledger), erased) if erased else None
