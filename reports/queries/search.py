"""What a search finds: rows that hold all its words, in any order, in any case, with accents or without.

Not here: who may search for a part of a number (`reports.queries.of_campaign.people`).
"""

import re
from collections.abc import Sequence


def matches_words(columns: Sequence[str], parameter: str = "search") -> str:
    """An SQL condition: each word of `$parameter` is in one of these text columns. True if there is no word."""
    text = _folded(f"concat_ws(' ', {', '.join(columns)})")
    words = rf"string_split_regex({_folded(f'${parameter}')}, '[\s\p{{Z}}]+')"
    return f"list_bool_and([contains({text}, word) for word in {words}])"


def matches_each_word(columns: Sequence[str], text: str) -> tuple[str, dict[str, str]]:
    """The same condition with its parameters, one for each word of `text`: on a million rows, twice as fast."""
    words = {f"word_{number}": word for number, word in enumerate(re.split(r"\s+", text.strip())) if word}
    row = _folded(f"concat_ws(' ', {', '.join(columns)})" if len(columns) > 1 else columns[0])
    return " and ".join(f"contains({row}, {_folded(f'${name}')})" for name in words) or "true", words


def _folded(text: str) -> str:
    """The text in lower case, without accents. `ß` is `ss`."""
    return f"replace(strip_accents(lower({text})), 'ß', 'ss')"
