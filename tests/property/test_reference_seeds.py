"""The seeds of the insights that come from packages: they hold what the packages hold now, and agree with their examples.

Not here: the failure reasons, which were researched by hand (`test_oracle_insights.py`).
"""

import csv
import re
from pathlib import Path

import duckdb
import phonenumbers
import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from scripts import bot_user_agents, number_prefixes

CANADIAN_NUMBERS_WITHOUT_AREA = {"+13101234"}
"""phonenumbers says CA, which no prefix can say: any area code may precede such a number, and 310 is one of California."""


def seed_rows(file: Path) -> set[tuple[str, ...]]:
    with file.open(encoding="utf-8", newline="") as lines:
        return {tuple(row) for row in list(csv.reader(lines))[1:]}


@pytest.mark.parametrize("script", [number_prefixes, bot_user_agents])
def test_the_seed_is_what_the_script_writes(script) -> None:
    """Rows that somebody has added are left alone."""
    missing = set(script.rows()) - seed_rows(script.SEED)
    assert missing == set(), f"stale: python -m {script.__name__}"


def test_the_countries_are_those_of_the_example_numbers_of_phonenumbers() -> None:
    countries = dict(seed_rows(number_prefixes.SEED))
    kinds = range(11)
    numbers = {
        phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164): phonenumbers.region_code_for_number(
            number
        )
        for region in phonenumbers.SUPPORTED_REGIONS
        for kind in kinds
        if (number := phonenumbers.example_number_for_type(region, kind))
    }
    assert len(numbers) > 900
    differing = {number for number, country in numbers.items() if country_of(number, countries) != country}
    assert differing == CANADIAN_NUMBERS_WITHOUT_AREA


def country_of(number: str, countries: dict[str, str]) -> str | None:
    digits = number.removeprefix("+")
    return next((countries[digits[:n]] for n in range(len(digits), 0, -1) if digits[:n] in countries), None)


def test_every_example_agent_of_the_package_is_found() -> None:
    """DuckDB searches as the models do: texts as they are, and the others as regular expressions."""
    rows = seed_rows(bot_user_agents.SEED)
    literals = [literal for _, literal, _ in rows if literal]
    expressions = "|".join(f"(?:{pattern})" for pattern, literal, _ in rows if not literal)
    agents = sorted({agent for entry in CRAWLER_USER_AGENTS_DATA for agent in entry["instances"]})
    assert len(agents) > 1500
    with duckdb.connect() as connection:
        missed = connection.execute(
            "select agent from (select unnest($agents) as agent) where not regexp_matches(agent, $expressions)"
            " and not list_bool_or(list_transform($literals, lambda literal: contains(agent, literal)))",
            {"agents": agents, "expressions": expressions, "literals": literals},
        ).fetchall()
    assert missed == []


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4"
        " Mobile/15E148 Safari/604.1",
        "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Mobile"
        " Safari/537.36",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:125.0) Gecko/20100101 Firefox/125.0",
        "java/17 is no Java/17 at the beginning",
    ],
)
def test_browsers_are_not_found(agent: str) -> None:
    rows = seed_rows(bot_user_agents.SEED)
    found = [pattern for pattern, literal, _ in rows if (literal in agent if literal else re.search(pattern, agent))]
    assert found == []


def test_a_literal_is_the_only_text_of_its_pattern() -> None:
    for pattern, literal, _ in seed_rows(bot_user_agents.SEED):
        if literal:
            assert re.fullmatch(pattern, literal), pattern
    assert bot_user_agents.literal_of("Googlebot\\/") == "Googlebot/"
    assert [bot_user_agents.literal_of(pattern) for pattern in ("^Java/", "[cC]rawler", r"bot\d", "a.b")] == [""] * 4
