"""The audit of a candidate build. `contracts` checks rows, `expectations` the `metrics` of each mart. Their `connection` sees
the database `candidate` and is left unchanged; their `marts` are those that the candidate must have.

Not here: the contracts (`models.marts`), rules between columns, rows and marts (`dbt_project`), the gate (`quality.gate`).
"""

from collections.abc import Iterable

KINDS = ("contract", "volumes", "history")
"""The kinds of checks of every mart. A check is called by its kind and its mart."""


def expected_checks(marts: Iterable[str]) -> set[str]:
    """The names of all results that an audit of these marts must give."""
    return {f"{kind}_{mart}" for mart in marts for kind in KINDS}
