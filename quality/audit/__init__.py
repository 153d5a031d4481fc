"""The audit of a candidate build. `contracts` checks rows, `expectations` the `metrics` of each mart. Their `connection` sees
the candidate and is left unchanged; their `schema` is that of the marts, such as `candidate.marts`.

Not here: the contracts (`models.marts`), rules between columns, rows and marts (`dbt_project`), the gate (`quality.gate`).
"""

from models.marts import BASE_MARTS

KINDS = ("contract", "volumes", "history")
"""The kinds of checks of every mart. A check is called by its kind and its mart."""


def expected_checks() -> set[str]:
    """The names of all results that an audit must give."""
    return {f"{kind}_{mart}" for kind in KINDS for mart in BASE_MARTS}
