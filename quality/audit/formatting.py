"""How failed checks are worded: rows named by their keys, mobile numbers masked.

Not here: the checks.
"""

from collections.abc import Iterable, Mapping, Sequence

from models.check_results import CheckResult, Rule
from models.masking import MASKED_COLUMNS, masked, sanitize

_LONGEST_VALUE = 80
_LONGEST_ERROR = 500
_CONTACT_COLUMN = "contact_id"


def format_value(column: str, value: object) -> str:
    """A value on one short line; of a mobile number the last two digits, of a contact id nothing: an erasure does not reach
    messages.
    """
    if value is None or value != value:
        return "null"
    text = " ".join((f"{value:.12g}" if isinstance(value, float) else str(value)).split())
    if column == _CONTACT_COLUMN:
        return "…"
    if column in MASKED_COLUMNS:
        return f"…{text[-2:]}"
    text = sanitize(text)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def result_of(name: str, rules: Sequence[Rule], *, is_blocking: bool) -> CheckResult:
    """The result of a check: it passes if all of its rules do."""
    detail = "\n".join(rule.message for rule in rules if not rule.passed)
    return CheckResult(name, is_blocking, passed=not detail, detail=detail, rules=tuple(rules))


def name_rows(rows: Iterable[Mapping[str, object]], total: int) -> str:
    """Rows by the given columns: `campaign_id c1; campaign_id c3`, after `among them` if there are more in `total`."""
    names = [", ".join(f"{column} {format_value(column, value)}" for column, value in row.items()) for row in rows]
    return ("among them " if len(names) < total else "") + "; ".join(names)


def error_text(error: BaseException | str) -> str:
    """An error on one line. DuckDB quotes values in its messages: mobile numbers are masked here, too."""
    text = f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else error
    text = " ".join(masked(text).split())
    return text if len(text) <= _LONGEST_ERROR else text[: _LONGEST_ERROR - 1] + "…"
