"""The reference tables of the insights in the oracle: number prefixes, agents of bots, reasons of failures.

Not here: the provider vocabularies, which decide statuses (`rules`).
"""

import csv
import re
from functools import cache
from pathlib import Path

from tests.oracle.rules import code_key
from tests.oracle.values import ascii_upper

SEEDS = Path(__file__).parents[2] / "dbt_project" / "seeds" / "insights"


def _lines(table: str) -> list[dict[str, str]]:
    with (SEEDS / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def _country_of_prefix() -> dict[str, str]:
    return {line["prefix"]: line["country"] for line in _lines("number_prefixes")}


def country_of(mobile_number: str) -> str | None:
    """The country of the longest prefix of a number; None without one."""
    digits = mobile_number.removeprefix("+")
    countries = _country_of_prefix()
    for length in range(len(digits), 0, -1):
        if digits[:length] in countries:
            return countries[digits[:length]]
    return None


@cache
def _bot_patterns() -> list[re.Pattern[str]]:
    # Plain texts are searched as they are: as regular expressions, they would take a second to compile.
    return [
        re.compile(re.escape(line["literal"]) if line["literal"] else line["pattern"])
        for line in _lines("bot_user_agents")
    ]


@cache
def is_agent_of_bot(user_agent: str | None) -> bool:
    return user_agent is not None and any(pattern.search(user_agent) for pattern in _bot_patterns())


Reason = tuple[str, bool | None, str | None]
UNKNOWN: Reason = ("unknown", None, None)


@cache
def _reasons() -> dict[tuple[str, str | None, str | None], Reason]:
    return {
        (
            ascii_upper(line["provider"]),
            ascii_upper(line["provider_status"]) or None,
            code_key(line["error_code"]) or None,
        ): (line["reason"], {"true": True, "false": False}[line["is_permanent"]], line["advice"])
        for line in _lines("failure_reasons")
    }


def reason_of(provider: str, provider_status: str, error_code: str | None) -> Reason:
    """Reason, whether it is permanent, and advice for a receipt of a failure."""
    provider, status = ascii_upper(provider), ascii_upper(provider_status)
    reasons = _reasons()
    keys = [(provider, status, None)]
    if error_code is not None:
        code = code_key(error_code)
        keys = [(provider, status, code), (provider, None, code), *keys]
    return next((reasons[key] for key in keys if key in reasons), UNKNOWN)
