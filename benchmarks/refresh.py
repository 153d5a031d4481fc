"""One `sendmart refresh` from prompt to prompt, divided into its parts.

The parts follow from the lines that the refresh prints after each step, and together they are the whole run.

Not here: how a process is measured (`measure`), what is refreshed when (`harness`).
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Cost, Recording, StageFailed, record
from models.enums import Log

SENDMART = str(Path(sys.executable).parent / "sendmart")

_LOADED = re.compile(rf" (?:{'|'.join(Log)}): \d+ files, .* in ([\d.]+) s$")
_BUILT = re.compile(r" build \S+: \d+ models in ([\d.]+) s$")
_PUBLISHED = re.compile(r" published build \S+ in ([\d.]+) s$")
_EXPORTED = re.compile(r" exports: .* in ([\d.]+) s$")


@dataclass(frozen=True)
class RefreshCost:
    """The cost of a refresh that published, and of its parts in order. What comes between two steps is of the later one."""

    all_told: Cost
    before_first_row: Cost
    admission: Cost
    build: Cost
    checks: Cost
    publication: Cost
    exports: Cost


def measure_refresh(environment: dict[str, str], *options: str) -> RefreshCost:
    """Runs a refresh that publishes.

    Raises:
        StageFailed: it failed, or did not publish.
    """
    recording = record([SENDMART, "refresh", *options], environment)
    loads, builds, publications, exports = (
        _steps(recording, pattern) for pattern in (_LOADED, _BUILT, _PUBLISHED, _EXPORTED)
    )
    if not (loads and builds and publications and exports):
        raise StageFailed("sendmart refresh did not publish:\n" + "\n".join(line for _, line in recording.lines))
    moments = [0.0, loads[0][0], loads[-1][1], builds[-1][1], *publications[-1], exports[-1][1]]
    parts = [recording.part(*moments[number : number + 2]) for number in range(len(moments) - 1)]
    return RefreshCost(recording.cost, *parts)


def _steps(recording: Recording, pattern: re.Pattern[str]) -> list[tuple[float, float]]:
    """The start and the end of each step whose line matches the pattern, in seconds since the start."""
    found = [(at, pattern.search(line)) for at, line in recording.lines]
    return [(max(at - float(match[1]), 0), at) for at, match in found if match]
