"""One run of the benchmark: sample logs, fixed cost, every stage beside the baseline, the same marts, one table.

Not here: how a process is measured (`measure`), how marts are compared (`compare`), the command line (`__main__`).
"""

import importlib.util
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.compare import differences, differing_rejections
from benchmarks.measure import Taken, measure, measure_stage
from benchmarks.stage import BASELINE_FOLDER
from warehouse.paths import DataPaths
from warehouse.sample import write_sample
from warehouse.settings import PREFIX, Settings

STAGES = ("admission", "build", "dbt tests", "audit", "publish", "export")
WITH_BASELINE = ("admission", "build")

FIXED_TRIES = 2
"""A cost that is to be taken off must not hold what else the machine did: the cheapest of these counts."""


class FiguresDiffer(Exception):
    """The marts, or the rows turned away, are not those of the baseline: what was measured is worth nothing."""


@dataclass(frozen=True)
class Scale:
    """How much is measured, and what each side may use."""

    sends: int
    days: int
    memory_limit: str
    threads: int


@dataclass(frozen=True)
class Outcome:
    """What was measured: by stage, on an empty lake and on the sample, and whole refreshes."""

    scale: Scale
    rows: int
    rejected: int
    csv_bytes: int
    fixed: dict[str, Taken]
    ours: dict[str, Taken]
    baseline: dict[str, Taken]
    refreshes: dict[str, Taken] = field(default_factory=dict)


def run(scale: Scale, folder: Path, tell: Callable[[str], None]) -> Outcome:
    """Measures everything once, in an empty folder.

    Raises:
        FiguresDiffer: ours and the baseline do not come to the same.
        StageFailed: a stage did not work.
    """
    refreshes, fixed = _measure_fixed(scale, folder / "empty", tell)

    landing, data = folder / "landing", folder / "data"
    tell(f"writing sample logs: {scale.sends:,} sends on {scale.days} days")
    sample = write_sample(landing, sends=scale.sends, days=scale.days, file_format="csv.gz")
    environment = _environment(scale, landing, data)
    ours: dict[str, Taken] = {}
    baseline: dict[str, Taken] = {}
    for stage in _stages():
        if stage in WITH_BASELINE:
            baseline[stage] = _measured(f"baseline {stage}", environment, tell)
        ours[stage] = _measured(stage, environment, tell)
    _hold_against_baseline(scale, data, ours, baseline, tell)
    refreshes["`sendmart refresh`, nothing new"] = _measured_refresh(environment, "nothing new", tell)
    return Outcome(
        scale=scale,
        rows=sum(sample.rows.values()),
        rejected=ours["admission"].figures["rejected"],
        csv_bytes=sample.bytes,
        fixed=fixed,
        ours=ours,
        baseline=baseline,
        refreshes=refreshes,
    )


def _measure_fixed(
    scale: Scale, folder: Path, tell: Callable[[str], None]
) -> tuple[dict[str, Taken], dict[str, Taken]]:
    """What a refresh, and each stage, takes where there is nothing to work on."""
    landing = folder / "landing"
    landing.mkdir(parents=True)
    tries = []
    for number in range(FIXED_TRIES):
        # A data folder of its own each time: dbt keeps what it has parsed there, and a first build has it to do.
        environment = _environment(scale, landing, folder / f"data-{number}")
        tries.append({stage: _measured(stage, environment, tell, "on an empty lake") for stage in _stages()})
    fixed = {stage: min((one[stage] for one in tries), key=lambda taken: taken.cpu) for stage in _stages()}
    environment = _environment(scale, landing, folder / "refreshed")
    refreshes = {"`sendmart refresh`, empty lake": _measured_refresh(environment, "empty lake", tell)}
    shutil.rmtree(folder)
    return refreshes, fixed


def _stages() -> list[str]:
    """The stages there are: the audit comes later than the others."""
    has_audit = importlib.util.find_spec("quality.audit") is not None
    return [stage for stage in STAGES if stage != "audit" or has_audit]


def _environment(scale: Scale, landing: Path, data: Path) -> dict[str, str]:
    return {
        f"{PREFIX}LANDING": str(landing),
        f"{PREFIX}DATA": str(data),
        f"{PREFIX}MEMORY_LIMIT": scale.memory_limit,
        f"{PREFIX}THREADS": str(scale.threads),
    }


def _measured(stage: str, environment: dict[str, str], tell: Callable[[str], None], where: str = "") -> Taken:
    taken = measure_stage(stage, environment)
    _tell_taken(tell, f"{stage} {where}".strip(), taken)
    return taken


def _measured_refresh(environment: dict[str, str], where: str, tell: Callable[[str], None]) -> Taken:
    program = Path(sys.executable).parent / "sendmart"
    taken = measure([str(program), "refresh"], environment)
    _tell_taken(tell, f"sendmart refresh, {where}", taken)
    return taken


def _tell_taken(tell: Callable[[str], None], name: str, taken: Taken) -> None:
    tell(f"{name}: {taken.wall:.1f} s, {taken.cpu:.1f} CPU s, {taken.peak / 1e6:,.0f} MB")


def _hold_against_baseline(
    scale: Scale, data: Path, ours: dict[str, Taken], baseline: dict[str, Taken], tell: Callable[[str], None]
) -> None:
    paths = DataPaths(data)
    started = time.perf_counter()
    settings = Settings(memory_limit=scale.memory_limit, threads=scale.threads)
    found = differences(settings, paths.candidate, data / BASELINE_FOLDER / "marts.duckdb")
    found += differing_rejections(paths.published_quarantine, data / BASELINE_FOLDER / "quarantine.duckdb")
    counts = [
        {name: taken["admission"].figures[name] for name in ("accepted", "rejected")} for taken in (ours, baseline)
    ]
    if counts[0] != counts[1]:
        found.append(f"rows admitted: {counts[0]}, by the baseline {counts[1]}")
    if found:
        raise FiguresDiffer("\n".join(found[:50]))
    tell(f"every mart and every quarantined row is that of the baseline ({time.perf_counter() - started:.0f} s)")


# --- the table


def table(outcome: Outcome) -> str:
    """The figures as a Markdown table; ratios are ours to the baseline's, as they are and without the fixed cost."""
    lines = [
        "| stage | wall s | CPU s | peak MB | fixed wall s | fixed CPU s | baseline wall s | baseline CPU s "
        "| baseline peak MB | wall ratio | CPU ratio | wall ratio, no fixed | CPU ratio, no fixed |",
        "|---|" + "--:|" * 12,
    ]
    lines += [
        _row(stage, taken, outcome.fixed.get(stage), outcome.baseline.get(stage))
        for stage, taken in outcome.ours.items()
    ]
    both = [stage for stage in outcome.ours if stage in outcome.baseline]
    lines += [
        _row(
            f"**{name}**",
            _sum(outcome.ours[stage] for stage in stages),
            _sum(outcome.fixed[stage] for stage in stages),
            _sum(outcome.baseline.values()),
        )
        for name, stages in ((" and ".join(both), both), ("all stages", list(outcome.ours)))
    ]
    lines += [_row(name, taken, None, None) for name, taken in outcome.refreshes.items()]
    return "\n".join(lines)


def slowest_models(outcome: Outcome, count: int = 6) -> str:
    """The dbt models that took longest, with their seconds."""
    models = outcome.ours["build"].figures["models"]
    return ", ".join(f"{name} {models[name]:.1f} s" for name in sorted(models, key=models.get, reverse=True)[:count])


def _row(name: str, taken: Taken, fixed: Taken | None, baseline: Taken | None) -> str:
    cells = [name, f"{taken.wall:.1f}", f"{taken.cpu:.1f}", f"{taken.peak / 1e6:.0f}"]
    cells += [f"{fixed.wall:.1f}", f"{fixed.cpu:.1f}"] if fixed else [""] * 2
    if baseline:
        cells += [f"{baseline.wall:.1f}", f"{baseline.cpu:.1f}", f"{baseline.peak / 1e6:.0f}"]
        for ours in (taken, taken.without(fixed) if fixed else taken):
            cells += [f"{ours.wall / baseline.wall:.2f}", f"{ours.cpu / baseline.cpu:.2f}"]
    else:
        cells += [""] * 7
    return "| " + " | ".join(cells) + " |"


def _sum(parts: Iterable[Taken]) -> Taken:
    """Several stages, one after the other."""
    parts = list(parts)
    return Taken(sum(part.wall for part in parts), sum(part.cpu for part in parts), max(part.peak for part in parts))
