"""Explains one campaign, message, order or contact: its rows in the lake, the rules that applied, its figures.

The figures are computed from the lake as it is now and compared with the published ones. The explanation names the
published build, and says whether lake, settings or models have changed since. Lists are cut; mobile numbers are masked.

Not here: how rows become figures (`warehouse.explain.id_build`), how an explanation is printed
(`orchestration.cli.output.explanations`).
"""

from collections.abc import Callable

from warehouse.explain.campaign import explain_campaign
from warehouse.explain.contact import explain_contact
from warehouse.explain.evidence import Evidence
from warehouse.explain.explanation import Basis, Explanation, UnknownId
from warehouse.explain.message import explain_message
from warehouse.explain.order import explain_order

_EXPLAIN = {
    "campaign": explain_campaign,
    "message": explain_message,
    "order": explain_order,
    "contact": explain_contact,
}


class Explainer:
    """Explains one id at a time. It reads the lake, the quarantine and the published marts, and takes no lock."""

    def __init__(self, evidence: Evidence, is_candidate_current: Callable[[], bool]) -> None:
        """Explains ids from this evidence; `is_candidate_current` says whether lake, settings and models have not changed
        since the candidate was built.
        """
        self._evidence = evidence
        self._is_candidate_current = is_candidate_current
        self.basis = self._basis()

    def explain(self, kind: str, key: str) -> Explanation:
        """Explains a campaign, message, order or contact.

        Raises:
            UnknownId: no row of the lake has the id.
        """
        self._evidence.id_build.build(kind, "select $key::varchar", {"key": key})
        explanation = Explanation(kind, key, self.basis)
        is_known = _EXPLAIN[kind](self._evidence, explanation)
        self._evidence.add_quarantined(explanation)
        if not is_known:
            raise UnknownId(self._unknown_id(explanation))
        return explanation

    def _basis(self) -> Basis:
        evidence, ledger = self._evidence, self._evidence.ledger
        data_until = ledger.data_until()
        if not evidence.has_published:
            return Basis(None, None, False, data_until)
        (info,) = evidence.records("select build_id, published_at from published.marts.build_info")
        last, candidate = ledger.last_publication(), ledger.candidate()
        is_current = (
            last is not None
            and candidate is not None
            and info["build_id"] == last[0] == candidate.build_id
            and self._is_candidate_current()
        )
        return Basis(info["build_id"], info["published_at"], is_current, data_until)

    @staticmethod
    def _unknown_id(explanation: Explanation) -> str:
        kind, key, data_until = explanation.kind, explanation.key, explanation.basis.data_until
        message = f"No {kind} {key!r} is in the lake; logs are loaded until {data_until}."
        if not explanation.listings:
            return f"{message} No row in quarantine contains it either. Ids are case-sensitive."
        (quarantined,) = explanation.listings
        log, source_file, row_number, reasons = quarantined.rows[0]
        return (
            f"{message} {quarantined.total} rows in quarantine contain it, the first in {log}/{source_file}, row"
            f" {row_number}: {reasons}"
        )
