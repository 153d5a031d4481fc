"""Which of several rows with one key the models keep, and the rule that decided, in words.

The rule itself is dbt's (`dbt_project/macros/deduplication.sql`): models carry it in their meta.

Not here: where the rows come from (`warehouse.explain.id_build`).
"""

from dataclasses import dataclass
from typing import Any

SAME = "the rows are the same in every column that the models read"

_WORDS = {
    "case when skip_reason is null then 0 else 1 end": "a sent row before a skipped one",
    "case when status = 'cancelled' then 0 else 1 end": "cancelled before placed",
}


@dataclass(frozen=True)
class Deduplication:
    """The deduplication rule of a log: of the rows `where` with one key, the first by `order_by` is kept."""

    key: tuple[str, ...]
    order_by: tuple[str, ...]
    where: str

    @classmethod
    def of(cls, meta: dict[str, Any]) -> "Deduplication":
        return cls(tuple(meta["key"]), tuple(meta["order_by"]), meta.get("where") or "true")

    def ranked_rows(self, relation: str) -> str:
        """A query: the rows of a relation with `rows_of_key`, `row_rank` from 1, and `sort_values`, one text per term."""
        sort_values = ", ".join(f"cast({_value(term)} as varchar)" for term in self.order_by)
        key = ", ".join(self.key)
        # Rows that are equal by the rule: the first of the first file.
        return (
            f"select *, [{sort_values}] as sort_values, count(*) over (partition by {key}) as rows_of_key,"
            f" row_number() over (partition by {key} order by {', '.join(self.order_by)}, source_file, row_number)"
            f" as row_rank from {relation} where {self.where}"
        )

    def deciding_term(self, kept: list[str | None], other: list[str | None]) -> str:
        """In words, the first term of the rule in which two rows differ, given their `sort_values`."""
        for term, kept_value, other_value in zip(self.order_by, kept, other, strict=True):
            if kept_value != other_value:
                return _words(term)
        return SAME


def _value(term: str) -> str:
    return term.removesuffix(" nulls last").removesuffix(" desc")


def _words(term: str) -> str:
    value = _value(term)
    is_descending = " desc" in term
    if value.endswith("_at"):
        return f"the {'latest' if is_descending else 'earliest'} {value}"
    return _WORDS.get(value, f"the {'greatest' if is_descending else 'smallest'} {value}")
