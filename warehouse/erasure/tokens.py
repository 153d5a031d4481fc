"""Finds erased values in the columns of a relation, and the SQL that replaces them by tokens.

Not here: which relations (`warehouse.erasure.erase`, `warehouse.erasure.exports`), the tokens (`warehouse.privacy`).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import duckdb

from models.marts import NUMBER_HASH
from models.masking import masked_number
from warehouse.duckdb_tools import literal
from warehouse.privacy import CONTACT, NUMBER, ErasureIndex

ErasedValues = dict[str, dict[str, str]]
"""By column, the erased values that it still holds, with their tokens."""


@dataclass(frozen=True)
class TokenReplacer:
    """Replaces erased values by tokens. The connection has the macro `keyed_hash`."""

    connection: duckdb.DuckDBPyConnection
    index: ErasureIndex

    def find(self, relation: str, columns: Iterable[str], unescaped: str = "value") -> ErasedValues:
        """The erased values in a relation with these columns.

        `unescaped` is the expression that gives the real value of a cell `value`. A masked number is recognised by the hash
        beside it.
        """
        columns = set(columns)
        kinds = {"contact_id": CONTACT, NUMBER_HASH if NUMBER_HASH in columns else "mobile_number": NUMBER}
        erased: ErasedValues = {}
        for column in kinds.keys() & columns:
            tokens = self.index.tokens_by_hash(kinds[column])
            hash_of_value = "value" if column == NUMBER_HASH else f"keyed_hash({unescaped})"
            rows = self.connection.execute(
                f"with cells as (select distinct {column} as value from {relation} where {column} is not null),"
                f" hashed as (select value, {hash_of_value} as hash from cells)"
                " select value, hash from hashed where hash in (select unnest($hashes::varchar[]))",
                {"hashes": list(tokens)},
            ).fetchall()
            if rows:
                erased[column] = {value: tokens[hash_] for value, hash_ in rows}
        return erased

    def replacements(self, erased: ErasedValues, write_number: Callable[[str], str] = str) -> dict[str, str]:
        """By column, the expression that replaces erased values. `write_number` gives the cell of a number.

        The free text of an erased contact, `source`, becomes null.
        """
        contacts, numbers, hashes = (erased.get(name, {}) for name in ("contact_id", "mobile_number", NUMBER_HASH))
        expressions = {}
        if contacts:
            expressions["contact_id"] = _case("contact_id", "contact_id", contacts)
            expressions["source"] = f"case when contact_id in ({sql_list(contacts)}) then null else source end"
        if numbers:
            cells = {number: write_number(token) for number, token in numbers.items()}
            expressions["mobile_number"] = _case("mobile_number", "mobile_number", cells)
        if hashes:
            cells = {hash_: write_number(masked_number(token)) for hash_, token in hashes.items()}
            expressions["mobile_number"] = _case("mobile_number", NUMBER_HASH, cells)
            token_hashes = {hash_: self.index.hashes.of(token) for hash_, token in hashes.items()}
            expressions[NUMBER_HASH] = _case(NUMBER_HASH, NUMBER_HASH, token_hashes)
        return expressions

    def record_numbers(self, relation: str, columns: Iterable[str]) -> None:
        """Adds the numbers of erased contacts in a relation with these columns to the index."""
        if not {"contact_id", "mobile_number"} <= set(columns):
            return
        number_hash = NUMBER_HASH if NUMBER_HASH in columns else "keyed_hash(mobile_number)"
        contacts = self.find(relation, ["contact_id"]).get("contact_id", {})
        rows = self.connection.execute(
            f"select distinct contact_id, {number_hash} from {relation}"
            f" where mobile_number is not null and contact_id in ({sql_list(contacts)})"
        )
        for contact_id, hash_ in rows.fetchall():
            self.index.add_numbers(contact_id, [hash_])


def sql_list(values: Iterable[str]) -> str:
    """Values as the inside of an SQL `in (…)`. No values match nothing."""
    return ", ".join(literal(value) for value in values) or "null"


def _case(column: str, deciding_column: str, replacements: dict[str, str]) -> str:
    cases = " ".join(f"when {literal(value)} then {literal(other)}" for value, other in replacements.items())
    return f"case {deciding_column} {cases} else {column} end"
