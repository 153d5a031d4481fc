"""The seed `bot_user_agents`: patterns of the user agents of programs, from the package crawler-user-agents.

    python -m scripts.bot_user_agents

Not here: how an agent is compared (`dbt_project/macros/insights.sql`); the licence of the package, which lies beside the seed.
"""

import csv
import re
from collections.abc import Iterable, Sequence

from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from warehouse.transform.dbt_runner import DBT_PROJECT

SEED = DBT_PROJECT / "seeds" / "insights" / "bot_user_agents.csv"
HEADER = ("pattern", "literal", "purpose")

FURTHER_AGENTS = {
    # Applications and phones that fetch a link to show its preview.
    "CFNetwork/": "app-fetch",
    "Dalvik/": "app-fetch",
    # Libraries that programs fetch with.
    "PostmanRuntime/": "http-library",
    "GuzzleHttp/": "http-library",
    "^Java/": "http-library",
    "^(node|undici|Ruby)$": "http-library",
    "^Faraday ": "http-library",
    # Scanners of links in messages.
    "(?i:barracuda|proofpoint|mimecast|ciscosecureemail)": "scanner",
}
"""What the package lacks: the purpose by pattern."""

_ESCAPED = re.compile(r"\\(\W)")
_SPECIAL = set(r".^$*+?{}[]|()\\")


def literal_of(pattern: str) -> str:
    """The text that a regular expression stands for; empty if it stands for more than one."""
    return "" if _SPECIAL & set(_ESCAPED.sub("", pattern)) else _ESCAPED.sub(r"\1", pattern)


def rows() -> list[tuple[str, str, str]]:
    """Patterns, literals and purposes in the order of the patterns."""
    patterns = {entry["pattern"]: "|".join(sorted(entry["tags"])) for entry in CRAWLER_USER_AGENTS_DATA}
    return sorted(
        (pattern, literal_of(pattern), purpose) for pattern, purpose in {**patterns, **FURTHER_AGENTS}.items()
    )


def write_seed(lines: Iterable[Sequence[str]]) -> None:
    with SEED.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(lines)


if __name__ == "__main__":
    write_seed(rows())
