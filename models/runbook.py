"""The runbook's codes: one for each thing that holds a build back or ends a refresh, with a page in `docs/runbook/`.

A code is stable: alarms, notes and scripts may go by it. Whoever raises it says what was found; the page says what to do.

Not here: when a code is raised (`quality.gate`, the stages), what its page says (`docs/runbook/`).
"""

from enum import StrEnum


class Code(StrEnum):
    """The codes; the value is what is printed, and the page's name."""

    # The gate
    FILE_REFUSED = "file-refused"
    ROWS_REJECTED = "rows-rejected"
    CHECK_FAILED = "check-failed"
    CHECK_MISSING = "check-missing"
    BUILD_WITHDRAWN = "build-withdrawn"

    @property
    def meaning(self) -> str:
        """In a line, as the runbook's index has it."""
        return _MEANINGS[self]

    @property
    def page(self) -> str:
        """Where its page lies in the project's folder."""
        return f"docs/runbook/{self}.md"


_MEANINGS = {
    Code.FILE_REFUSED: "A log file could not be taken at all: nothing of it is in the lake.",
    Code.ROWS_REJECTED: "Too many rows of a log-day are in quarantine.",
    Code.CHECK_FAILED: "A blocking check of the build does not hold.",
    Code.CHECK_MISSING: "A check was not carried out on this build.",
    Code.BUILD_WITHDRAWN: "Somebody went back from this build to an earlier one: it is not published again by itself.",
}
