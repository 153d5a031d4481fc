"""Explains a figure: the rows, files and rules behind it.

Not here: how an explanation is printed (`orchestration.cli.output.explanations`).
"""

from warehouse.explain.evidence import MAX_ROWS, attach_published, open_evidence
from warehouse.explain.explainer import Explainer
from warehouse.explain.explanation import Basis, Explanation, Listing, UnknownId

__all__ = ["MAX_ROWS", "Basis", "Explainer", "Explanation", "Listing", "UnknownId", "attach_published", "open_evidence"]
