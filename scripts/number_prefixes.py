"""The seed `number_prefixes`: which digits at the beginning of a number mean which country, from the package phonenumbers.

    python -m scripts.number_prefixes

Most calling codes belong to one country. Where several share one, their numbering plans say which of them has numbers that
begin with some digits. A prefix is written if one country is left, and if the next shorter prefix means another one. Numbers
that no plan has count for the main country of the calling code.

Not here: how a number finds its prefix (`dbt_project/models/intermediate/insights/int_messages_enriched.sql`).
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import phonenumbers
import regex  # re cannot say whether a text is the beginning of a match
from phonenumbers.phonemetadata import PhoneMetadata

from warehouse.transform.dbt_runner import DBT_PROJECT

SEED = DBT_PROJECT / "seeds" / "insights" / "number_prefixes.csv"
HEADER = ("prefix", "country")

NO_COUNTRY = "001"
"""How phonenumbers writes the country of a calling code for satellites or freephone numbers, which get no row."""

LONGEST_NATIONAL_PREFIX = 8
SHORTEST_NATIONAL_PREFIX = {1: 3}
"""By calling code. In North America, three digits are the least that mean a country."""

KINDS_OF_NUMBERS = (
    *("fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost"),
    *("personal_number", "voip", "pager", "uan", "voicemail"),
)
DIGITS = "0123456789"
NEXT_THREE_DIGITS = [f"{digits:03d}" for digits in range(1000)]


@dataclass(eq=False)
class NumberingPlan:
    """Which national numbers a country has. The patterns of the countries that come first are theirs."""

    country: str
    taken: frozenset[str] = frozenset()
    _answers: dict[str, bool] = field(default_factory=dict)

    @cached_property
    def _metadata(self) -> Any:
        """phonenumbers types every part of it as optional; those that are read here always exist."""
        return PhoneMetadata.metadata_for_region(self.country)

    @cached_property
    def patterns(self) -> frozenset[str]:
        """The patterns of its kinds of numbers that can be dialled from abroad: these are no shorter than fixed lines."""
        shortest = min(self._metadata.fixed_line.possible_length)
        kinds = [getattr(self._metadata, kind) for kind in KINDS_OF_NUMBERS]
        written = {kind.national_number_pattern for kind in kinds if kind and max(kind.possible_length) >= shortest}
        return frozenset(written - {None}) - self.taken

    def has(self, prefix: str) -> bool:
        """Whether one of its numbers begins with these digits."""
        if prefix not in self._answers:
            self._answers[prefix] = self._has(prefix)
        return self._answers[prefix]

    def _has(self, prefix: str) -> bool:
        if self._metadata.leading_digits:  # these alone decide, where a country has them
            return regex.match(self._metadata.leading_digits, prefix, partial=True) is not None
        return all(pattern.fullmatch(prefix, partial=True) for pattern in self._compiled)

    @cached_property
    def _compiled(self) -> list[Any]:
        of_any_kind = "|".join(f"(?:{pattern})" for pattern in sorted(self.patterns)) or "(?!)"
        return [regex.compile(of_any_kind), regex.compile(self._metadata.general_desc.national_number_pattern)]

    def has_all_after(self, prefix: str) -> bool:
        """Whether it has numbers with any three digits after these."""
        return all(self.has(prefix + digits) for digits in (*DIGITS, *NEXT_THREE_DIGITS))


def rows() -> list[tuple[str, str]]:
    """Prefixes and countries in the order of the prefixes."""
    return sorted(
        (f"{calling_code}{prefix}", country)
        for calling_code, countries in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items()
        if countries[0] != NO_COUNTRY
        for prefix, country in _rows_of_calling_code(calling_code, countries)
    )


def _rows_of_calling_code(calling_code: int, countries: Sequence[str]) -> Iterator[tuple[str, str]]:
    yield "", countries[0]
    if len(countries) == 1:
        return
    plans: list[NumberingPlan] = []
    for country in countries:  # in the order in which phonenumbers asks them
        plans.append(NumberingPlan(country, frozenset().union(*(plan.patterns for plan in plans))))
    decided = dict(_decided_prefixes(plans, SHORTEST_NATIONAL_PREFIX.get(calling_code, 1)))
    for prefix, country in _merged(decided).items():
        if country != countries[0]:
            yield prefix, country


def _decided_prefixes(plans: Sequence[NumberingPlan], shortest: int) -> Iterator[tuple[str, str]]:
    """The shortest prefixes that mean one country. If countries share all numbers after a prefix, the first has them."""
    open_prefixes = [("", plans)]
    while open_prefixes:
        prefix, candidates = open_prefixes.pop()
        left = [plan for plan in candidates if plan.has(prefix)]
        if not left:
            continue
        if len(prefix) >= shortest and (
            len(left) == 1 or len(prefix) == LONGEST_NATIONAL_PREFIX or all(plan.has_all_after(prefix) for plan in left)
        ):
            yield prefix, left[0].country
        else:
            open_prefixes += [(prefix + digit, left) for digit in DIGITS]


def _merged(countries: dict[str, str]) -> dict[str, str]:
    """The same with one prefix in place of ten that differ in the last digit and mean one country."""
    merged = dict(countries)
    for length in range(LONGEST_NATIONAL_PREFIX, 1, -1):
        for shorter in {prefix[:-1] for prefix in merged if len(prefix) == length}:
            of_digits = {merged.get(shorter + digit) for digit in DIGITS}
            (country, *others) = of_digits
            if country is not None and not others:
                for digit in DIGITS:
                    del merged[shorter + digit]
                merged[shorter] = country
    return merged


def write_seed(lines: Iterable[Sequence[str]]) -> None:
    with SEED.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(lines)


if __name__ == "__main__":
    write_seed(rows())
