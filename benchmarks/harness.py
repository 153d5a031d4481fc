"""One run of the benchmark: sample logs, fixed costs, every stage beside the baseline, and a night after the history.

The marts and the quarantined rows are compared with the baseline's after each build. The insights are left out on both sides.

Not here: the insights beside those of the baseline (`insights`), the sample (`samples`), how a process is measured
(`measure`), how marts are compared (`compare`), the tables (`report`), the command line (`__main__`).
"""

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.compare import FiguresDiffer, require_baseline_figures
from benchmarks.measure import Cost, cheapest, measure, measure_stage, settings_variables
from benchmarks.samples import Sample, write_history
from models.enums import Log
from warehouse.config import Settings

STAGES = ("admission", "build", "dbt tests", "audit", "publish", "export")
BASELINE_STAGES = ("admission", "build")

SHORT_DAYS = 30
"""The length of a second history with as many sends a day."""

LITTLE_MEMORY = "1GB"

TINY_SENDS, TINY_DAYS = 40, 4
"""A warehouse in which a night costs its fixed cost only."""

REPETITIONS = 2
"""Fixed costs and nights are small, so that other work on the machine matters: the cheapest repetition counts."""


@dataclass(frozen=True)
class Scale:
    """The size of the sample, and the limits of both sides."""

    sends: int
    days: int
    memory_limit: str
    threads: int


@dataclass(frozen=True)
class Measured:
    """The cost of a stage, the fixed part of it, and the baseline's cost for the same rows."""

    cost: Cost
    fixed: Cost | None = None
    baseline: Cost | None = None

    @property
    def variable(self) -> Cost:
        """The cost without its fixed part."""
        return self.cost.without(self.fixed) if self.fixed else self.cost


@dataclass(frozen=True)
class Outcome:
    """The results: the stages of a first refresh, those of a night, a rebuild with little memory, whole refreshes."""

    scale: Scale
    csv_bytes: int
    stages: dict[str, Measured]
    night: dict[str, Measured]
    short_night: Measured | None
    short_night_sends: int
    little_memory: Measured
    refreshes: dict[str, Cost]


def run(scale: Scale, folder: Path, log: Callable[[str], None]) -> Outcome:
    """Measures everything once, in an empty folder.

    Raises:
        FiguresDiffer: Sendmart and the baseline give different rows.
        StageFailed: a stage did not work.
    """
    return _Run(scale, folder, log).outcome()


class _Run:
    """The steps of a run; each logs its cost."""

    def __init__(self, scale: Scale, folder: Path, log: Callable[[str], None]) -> None:
        self._scale = scale
        self._folder = folder
        self._log = log

    def outcome(self) -> Outcome:
        fixed, empty_refresh = self._fixed_costs()
        fixed_night = self._fixed_night()
        short_night, short_sends = self._short_night(fixed_night)

        sample, data = self._sample("history", self._scale.sends, self._scale.days)
        csv_bytes = sample.csv_bytes()
        stages = {}
        for stage in STAGES:
            baseline = self._stage(f"baseline {stage}", sample.landing, data) if stage in BASELINE_STAGES else None
            stages[stage] = Measured(self._stage(stage, sample.landing, data), fixed[stage], baseline)
        self._compare(data)
        _require_equal_counts(stages["admission"])
        unchanged_refresh = self._refresh(sample.landing, data, "nothing new")

        night = self._night(sample, data, fixed_night)
        for stage in STAGES[len(BASELINE_STAGES) :]:
            night[stage] = Measured(self._stage(stage, sample.landing, data), fixed[stage])
        baseline = self._stage("baseline build", sample.landing, data, LITTLE_MEMORY)
        rebuild = self._stage("rebuild", sample.landing, data, LITTLE_MEMORY)
        self._compare(data)
        return Outcome(
            scale=self._scale,
            csv_bytes=csv_bytes,
            stages=stages,
            night=night,
            short_night=short_night,
            short_night_sends=short_sends,
            little_memory=Measured(rebuild, fixed["rebuild"], baseline),
            refreshes={
                "`sendmart refresh`, empty lake": empty_refresh,
                "`sendmart refresh`, nothing new": unchanged_refresh,
            },
        )

    def _fixed_costs(self) -> tuple[dict[str, Cost], Cost]:
        """The costs of each stage, of a rebuild and of a refresh with one file without rows."""
        landing = self._folder / "empty" / "landing"
        (landing / Log.SENDS).mkdir(parents=True)
        (landing / Log.SENDS / "2026-01-01.csv").touch()
        repetitions: list[dict[str, Cost]] = []
        for number in range(REPETITIONS):
            # A new data folder each time: the first build of a folder parses the dbt project.
            data = landing.with_name(f"data-{number}")
            repetitions.append({stage: self._stage(stage, landing, data) for stage in STAGES})
            repetitions[-1]["rebuild"] = self._stage("rebuild", landing, data, LITTLE_MEMORY)
        fixed = {stage: cheapest(costs[stage] for costs in repetitions) for stage in repetitions[0]}
        refresh = self._refresh(landing, landing.with_name("refreshed"), "empty lake")
        shutil.rmtree(landing.parent)
        return fixed, refresh

    def _fixed_night(self) -> Cost:
        """The cost of an incremental build of very few rows."""
        costs = []
        for number in range(REPETITIONS):
            sample, data = self._sample(f"tiny-{number}", TINY_SENDS, TINY_DAYS)
            self._stage("admission", sample.landing, data)
            self._stage("build", sample.landing, data)
            sample.drop_night()
            self._stage("admission", sample.landing, data)
            costs.append(self._stage("build", sample.landing, data))
            shutil.rmtree(data.parent)
        return cheapest(costs)

    def _short_night(self, fixed: Cost) -> tuple[Measured | None, int]:
        """The build of a night after a shorter history, and the night's sends; none if the history is short itself."""
        if self._scale.days <= SHORT_DAYS:
            return None, 0
        sends = round(self._scale.sends / self._scale.days * SHORT_DAYS)
        sample, data = self._sample("short", sends, SHORT_DAYS)
        self._stage("baseline admission", sample.landing, data)
        for stage in BASELINE_STAGES:
            self._stage(stage, sample.landing, data)
        night = self._night(sample, data, fixed)
        shutil.rmtree(data.parent)
        return night["build"], night["admission"].cost.figures["sends"]

    def _night(self, sample: Sample, data: Path, fixed: Cost) -> dict[str, Measured]:
        """Admission and incremental build of one more day. The baseline builds the same rows in full."""
        self._log(f"the night after {sample.days} days:")
        self._stage("baseline admission", sample.night, data)
        sample.drop_night()
        admission = self._stage("admission", sample.landing, data)
        baseline = self._stage("baseline build", sample.landing, data)
        before, costs = data.with_name("before"), []
        shutil.copytree(data, before)
        for _ in range(REPETITIONS):
            shutil.rmtree(data)
            shutil.copytree(before, data)
            costs.append(self._stage("build", sample.landing, data))
            self._compare(data)
        shutil.rmtree(before)
        return {"admission": Measured(admission), "build": Measured(cheapest(costs), fixed, baseline)}

    def _sample(self, name: str, sends: int, days: int) -> tuple[Sample, Path]:
        """Writes sample logs; returns them with the data folder for them."""
        self._log(f"writing sample logs: {sends:,} sends on {days} days, and a night")
        folder = self._folder / name
        return write_history(folder, sends, days), folder / "data"

    def _stage(self, stage: str, landing: Path, data: Path, memory_limit: str | None = None) -> Cost:
        cost = measure_stage(stage, self._environment(landing, data, memory_limit))
        self._log(f"{stage} in {data.parent.name}{f', {memory_limit}' if memory_limit else ''}: {cost}")
        return cost

    def _refresh(self, landing: Path, data: Path, name: str) -> Cost:
        program = Path(sys.executable).parent / "sendmart"
        cost = measure([str(program), "refresh"], self._environment(landing, data, None))
        self._log(f"sendmart refresh, {name}: {cost}")
        return cost

    def _environment(self, landing: Path, data: Path, memory_limit: str | None) -> dict[str, str]:
        limit = memory_limit or self._scale.memory_limit
        threads = self._scale.threads
        return settings_variables(landing, data, memory_limit=limit, threads=threads, insights="false")

    def _compare(self, data: Path) -> None:
        started = time.perf_counter()
        require_baseline_figures(Settings(memory_limit=self._scale.memory_limit, threads=self._scale.threads), data)
        self._log(f"marts and quarantined rows equal the baseline's ({time.perf_counter() - started:.0f} s)")


def _require_equal_counts(admission: Measured) -> None:
    """A row that one side neither accepted nor rejected would be in no comparison of marts."""
    assert admission.baseline is not None
    ours, theirs = admission.cost.figures, admission.baseline.figures
    if differing := [f"{name}: {ours[name]}, baseline {theirs[name]}" for name in theirs if ours[name] != theirs[name]]:
        raise FiguresDiffer("\n".join(differing))
