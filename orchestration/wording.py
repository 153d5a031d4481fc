"""Words that messages share: a number with its noun.

Not here: the messages themselves (`orchestration.cli.output`, `orchestration.errors`).
"""


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 row`, `2,000 rows`."""
    return f"1 {noun}" if number == 1 else f"{number:,} {noun}s"
