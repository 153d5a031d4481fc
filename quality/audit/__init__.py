"""The audit of a candidate build: which checks its marts must pass before they are published.

`contracts` checks the rows of every mart against its pandera contract. `expectations` runs Great Expectations `suites` on
the `metrics` of every mart: within fixed ranges, and within the ranges of earlier builds (`anomalies`). Both read the
candidate and return check results: their `connection` sees the candidate and is left unchanged, their `schema` is that of the
marts, such as `candidate.marts`. `formatting` words the failures and masks mobile numbers in them; `html_report` shows
all results on one page.

Not here: the contracts (`models.marts`), rules between columns, rows and marts (`dbt_project`), storing results
(`warehouse.ledger`), the release gate (`quality.gate`).
"""

from models.marts import DBT_MARTS

KINDS = ("contract", "volumes", "history")
"""The kinds of checks of every mart. A check is called by its kind and its mart."""


def expected_checks() -> set[str]:
    """The names of all results that an audit must give."""
    return {f"{kind}_{mart}" for kind in KINDS for mart in DBT_MARTS}
