"""One run of the benchmark: sample logs, fixed costs, every stage and a night beside the baseline, the same marts.

Not here: the sample (`samples`), how a process is measured (`measure`), how marts are compared (`compare`), the tables
(`report`), the command line (`__main__`).
"""

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.compare import differences, differing_rejections
from benchmarks.measure import Taken, measure, measure_stage
from benchmarks.samples import Sample, write_history
from benchmarks.stage import BASELINE_FOLDER
from warehouse.config.paths import DataPaths
from warehouse.config.settings import PREFIX, Settings

STAGES = ("admission", "build", "dbt tests", "audit", "publish", "export")
WITH_BASELINE = ("admission", "build")

SHORT_DAYS = 30
"""The history that a longer one is held against, with as many sends a day."""

LITTLE_MEMORY = "1GB"

TINY_SENDS, TINY_DAYS = 40, 4
"""A warehouse in which a night costs nothing but what is fixed."""

TRIES = 2
"""What is fixed, and a night, which costs little more, must not hold what else the machine did: the cheapest counts."""


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
class Measured:
    """Ours, what of it is fixed, and the baseline's of the same."""

    taken: Taken
    fixed: Taken | None = None
    baseline: Taken | None = None

    @property
    def own(self) -> Taken:
        """Ours without what is fixed."""
        return self.taken.without(self.fixed) if self.fixed else self.taken


@dataclass(frozen=True)
class Outcome:
    """What was measured: the stages of a first refresh and of one night, a rebuild with little memory, whole refreshes."""

    scale: Scale
    csv_bytes: int
    stages: dict[str, Measured]
    night: Measured
    night_admission: Taken
    night_checked: dict[str, Measured]
    short_night: Measured | None
    short_night_admission: Taken | None
    little_memory: Measured
    refreshes: dict[str, Taken]


def run(scale: Scale, folder: Path, tell: Callable[[str], None]) -> Outcome:
    """Measures everything once, in an empty folder.

    Raises:
        FiguresDiffer: ours and the baseline do not come to the same.
        StageFailed: a stage did not work.
    """
    return _Run(scale, folder, tell).outcome()


class _Run:
    """The steps of a run, each of which says what it took."""

    def __init__(self, scale: Scale, folder: Path, tell: Callable[[str], None]) -> None:
        self._scale = scale
        self._folder = folder
        self._tell = tell

    def outcome(self) -> Outcome:
        fixed, fixed_rebuild, empty_refresh = self._fixed()
        fixed_night = self._fixed_night()
        short_night, short_admission = self._short_night(fixed_night)

        sample, data = self._sample("history", self._scale.sends, self._scale.days)
        csv_bytes = sample.csv_bytes()
        stages = {}
        for stage in STAGES:
            baseline = self._stage(f"baseline {stage}", sample.landing, data) if stage in WITH_BASELINE else None
            stages[stage] = Measured(self._stage(stage, sample.landing, data), fixed[stage], baseline)
        self._hold_against_baseline(data)
        self._hold_admitted_against_baseline(stages["admission"])
        unchanged_refresh = self._refresh(sample.landing, data, "nothing new")

        night, night_admission = self._night(sample, data, fixed_night)
        night_checked = {
            stage: Measured(self._stage(stage, sample.landing, data), fixed[stage])
            for stage in STAGES
            if stage not in WITH_BASELINE
        }
        # The rebuild holds the night's rows, too: a night and a rebuild must come to the same, on either side.
        baseline = self._stage("baseline build", sample.landing, data, LITTLE_MEMORY)
        self._hold_against_baseline(data)
        little_memory = Measured(self._stage("rebuild", sample.landing, data, LITTLE_MEMORY), fixed_rebuild, baseline)
        self._hold_against_baseline(data)
        return Outcome(
            scale=self._scale,
            csv_bytes=csv_bytes,
            stages=stages,
            night=night,
            night_admission=night_admission,
            night_checked=night_checked,
            short_night=short_night,
            short_night_admission=short_admission,
            little_memory=little_memory,
            refreshes={
                "`sendmart refresh`, empty lake": empty_refresh,
                "`sendmart refresh`, nothing new": unchanged_refresh,
            },
        )

    def _fixed(self) -> tuple[dict[str, Taken], Taken, Taken]:
        """What each stage, a rebuild and a refresh take where there is nothing to work on."""
        landing = self._folder / "empty" / "landing"
        landing.mkdir(parents=True)
        tries: list[dict[str, Taken]] = []
        for number in range(TRIES):
            # A data folder of its own each time: dbt keeps what it has parsed there, and a first build has it to do.
            data = landing.with_name(f"data-{number}")
            tries.append({stage: self._stage(stage, landing, data) for stage in STAGES})
            tries[-1]["rebuild"] = self._stage("rebuild", landing, data, LITTLE_MEMORY)
        fixed = {stage: _cheapest([one[stage] for one in tries]) for stage in tries[0]}
        refresh = self._refresh(landing, landing.with_name("refreshed"), "empty lake")
        shutil.rmtree(landing.parent)
        return {stage: fixed[stage] for stage in STAGES}, fixed["rebuild"], refresh

    def _fixed_night(self) -> Taken:
        """What a build that brings up to date takes where next to nothing has changed in next to nothing."""
        tries = []
        for number in range(TRIES):
            sample, data = self._sample(f"tiny-{number}", TINY_SENDS, TINY_DAYS)
            self._stage("admission", sample.landing, data)
            self._stage("build", sample.landing, data)
            sample.drop_night()
            self._stage("admission", sample.landing, data)
            tries.append(self._stage("build", sample.landing, data))
            shutil.rmtree(data.parent)
        return _cheapest(tries)

    def _short_night(self, fixed: Taken) -> tuple[Measured | None, Taken | None]:
        """The night after a shorter history with as many sends a day; none where the whole one is as short."""
        if self._scale.days <= SHORT_DAYS:
            return None, None
        sends = round(self._scale.sends / self._scale.days * SHORT_DAYS)
        sample, data = self._sample("short", sends, SHORT_DAYS)
        for stage in WITH_BASELINE:
            self._stage(f"baseline {stage}", sample.landing, data)
            self._stage(stage, sample.landing, data)
        night = self._night(sample, data, fixed)
        shutil.rmtree(data.parent)
        return night

    def _night(self, sample: Sample, data: Path, fixed: Taken) -> tuple[Measured, Taken]:
        """The build after one more day has arrived, and the admission before it."""
        self._tell(f"the night after {sample.days} days:")
        self._stage("baseline admission", sample.night, data)
        sample.drop_night()
        admission = self._stage("admission", sample.landing, data)
        before, ours, baseline = data.with_name("before"), [], []
        shutil.copytree(data, before)
        for _ in range(TRIES):
            shutil.rmtree(data)
            shutil.copytree(before, data)
            baseline.append(self._stage("baseline night", sample.landing, data))
            ours.append(self._stage("build", sample.landing, data))
            self._hold_against_baseline(data)
        shutil.rmtree(before)
        return Measured(_cheapest(ours), fixed, _cheapest(baseline)), admission

    def _sample(self, name: str, sends: int, days: int) -> tuple[Sample, Path]:
        """Sample logs and the data folder for them."""
        self._tell(f"writing sample logs: {sends:,} sends on {days} days, and a night")
        folder = self._folder / name
        return write_history(folder, sends, days), folder / "data"

    def _stage(self, stage: str, landing: Path, data: Path, memory_limit: str | None = None) -> Taken:
        taken = measure_stage(stage, self._environment(landing, data, memory_limit))
        self._tell_taken(f"{stage} in {data.parent.name}" + (f", {memory_limit}" if memory_limit else ""), taken)
        return taken

    def _refresh(self, landing: Path, data: Path, where: str) -> Taken:
        program = Path(sys.executable).parent / "sendmart"
        taken = measure([str(program), "refresh"], self._environment(landing, data, None))
        self._tell_taken(f"sendmart refresh, {where}", taken)
        return taken

    def _environment(self, landing: Path, data: Path, memory_limit: str | None) -> dict[str, str]:
        return {
            f"{PREFIX}LANDING": str(landing),
            f"{PREFIX}DATA": str(data),
            f"{PREFIX}MEMORY_LIMIT": memory_limit or self._scale.memory_limit,
            f"{PREFIX}THREADS": str(self._scale.threads),
        }

    def _tell_taken(self, name: str, taken: Taken) -> None:
        self._tell(f"{name}: {taken.wall:.1f} s, {taken.cpu:.1f} CPU s, {taken.peak / 1e6:,.0f} MB")

    def _hold_against_baseline(self, data: Path) -> None:
        """Compares the marts, and the rows turned away."""
        started = time.perf_counter()
        paths, baseline = DataPaths(data), data / BASELINE_FOLDER
        settings = Settings(memory_limit=self._scale.memory_limit, threads=self._scale.threads)
        _raise_if(differences(settings, paths.candidate, baseline / "marts.duckdb"))
        _raise_if(differing_rejections(paths.published_quarantine, baseline / "quarantine.duckdb"))
        taken = time.perf_counter() - started
        self._tell(f"every mart and every quarantined row is that of the baseline ({taken:.0f} s)")

    def _hold_admitted_against_baseline(self, admission: Measured) -> None:
        """A row that neither side admitted nor turned away would show in no comparison of marts."""
        ours, baseline = admission.taken.figures, admission.baseline.figures
        _raise_if(
            [
                f"{rows}: {ours[rows]}, by the baseline {baseline[rows]}"
                for rows in baseline
                if ours[rows] != baseline[rows]
            ]
        )


def _cheapest(tries: list[Taken]) -> Taken:
    return min(tries, key=lambda taken: taken.cpu)


def _raise_if(differing: list[str]) -> None:
    if differing:
        raise FiguresDiffer("\n".join(differing[:50]))
