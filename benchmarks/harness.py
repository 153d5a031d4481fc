"""One run of the benchmark: whole commands from prompt to prompt, beside the same job written by hand.

The marts and the quarantined rows are compared with the baseline's after each build.

Not here: the sample (`samples`), how a process is measured (`measure`), the parts of a refresh (`refresh`), how marts are
compared (`compare`), the table (`report`), the command line (`__main__`).
"""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.compare import FiguresDiffer, require_baseline_figures, require_baseline_insights
from benchmarks.measure import Cost, cheapest, measure, measure_stage, measure_stage_process, settings_variables
from benchmarks.refresh import SENDMART, RefreshCost, measure_refresh
from benchmarks.samples import Sample, write_history
from warehouse.config import Settings
from warehouse.storage import hash_of

SHORT_DAYS = 30
"""The length of a second history with as many sends a day."""

LITTLE_MEMORY = "1GB"

TINY_SENDS, TINY_DAYS = 3_000, 30
"""A warehouse in which a refresh costs its fixed cost only."""

REPETITIONS = 2
"""What is small is measured so often, from the same state, and the cheapest counts: other work on the machine matters."""

TIMES_FOR_COMMANDS = 3
"""The same for commands that take less than two seconds."""


@dataclass(frozen=True)
class Scale:
    """The size of the sample, whether the insights are built on both sides, and the sends of a larger sample, or 0."""

    sends: int
    days: int
    insights: bool
    large_sends: int


@dataclass(frozen=True)
class ByHand:
    """The cost of the baseline: of its process, of its admission and of its full build."""

    all_told: Cost
    admission: Cost
    build: Cost


@dataclass(frozen=True)
class History:
    """The first refresh of a history, and that of a night of `night_sends` sends after it; both by hand if compared."""

    days: int
    first: RefreshCost
    night: RefreshCost
    night_sends: int
    first_by_hand: ByHand | None = None
    night_by_hand: ByHand | None = None


@dataclass(frozen=True)
class Outcome:
    """The results. `admission` is by number of load workers; `in_full` and `in_little_memory` build everything again."""

    scale: Scale
    rows: int
    sends: int
    csv_bytes: int
    files: int
    history: History
    short: History | None
    tiny: History
    large: History | None
    in_full: RefreshCost
    in_little_memory: RefreshCost
    admission: dict[int, Cost]
    nothing_new: Cost
    commands: dict[str, Cost]
    share_of_others: float
    """The CPU time of other processes meanwhile, as a share of the CPU time of all measured processes."""


def run(scale: Scale, folder: Path, log: Callable[[str], None]) -> Outcome:
    """Measures everything once, in an empty folder.

    Raises:
        FiguresDiffer: Sendmart and the baseline give different rows.
        StageFailed: a process did not work.
    """
    return _Run(scale, folder, log).outcome()


class _Run:
    """The steps of a run; each logs its cost."""

    def __init__(self, scale: Scale, folder: Path, log: Callable[[str], None]) -> None:
        self._scale = scale
        self._folder = folder
        self._log = log
        self._measured: list[Cost] = []

    def outcome(self) -> Outcome:
        scale = self._scale
        with self._sample("tiny", TINY_SENDS, TINY_DAYS) as (sample, data):
            tiny = self._history(sample, data)
        short = None
        if scale.days > SHORT_DAYS:
            with self._sample("short", round(scale.sends / scale.days * SHORT_DAYS), SHORT_DAYS) as (sample, data):
                short = self._history(sample, data)
        with self._sample("history", scale.sends, scale.days) as (sample, data):
            csv_bytes = sample.csv_bytes()
            admission = self._admission_by_workers(sample)
            history = self._compared_history(sample, data)
            files = sum(1 for _ in sample.landing.glob("*/*"))
            commands = {
                command: cheapest(self._command(command, sample, data) for _ in range(TIMES_FOR_COMMANDS))
                for command in ("--help", "status", "refresh")
            }
            in_full = self._refresh("full refresh", self._variables(sample.landing, data), "--full-refresh")
            little_memory = self._variables(sample.landing, data, memory_limit=LITTLE_MEMORY)
            in_little_memory = self._refresh(f"full refresh, {LITTLE_MEMORY}", little_memory, "--full-refresh")
            self._compare(data)
        large = None
        if scale.large_sends:
            with self._sample("large", scale.large_sends, scale.days) as (sample, data):
                large = self._history(sample, data, repetitions=1)
        measured = [cost for cost in self._measured if "cpu_of_others" in cost.figures]
        return Outcome(
            scale=scale,
            rows=sum(admission[1].figures[name] for name in ("accepted", "rejected")),
            sends=admission[1].figures["sends"],
            csv_bytes=csv_bytes,
            files=files,
            history=history,
            short=short,
            tiny=tiny,
            large=large,
            in_full=in_full,
            in_little_memory=in_little_memory,
            admission=admission,
            nothing_new=commands.pop("refresh"),
            commands=commands,
            share_of_others=sum(cost.figures["cpu_of_others"] for cost in measured)
            / sum(cost.cpu for cost in measured),
        )

    def _history(self, sample: Sample, data: Path, repetitions: int = REPETITIONS) -> History:
        """A first refresh, and that of one more day."""
        variables = self._variables(sample.landing, data)
        first = self._refresh("first refresh", variables)
        sends = self._drop_night(sample)
        night = self._night(variables, data, repetitions)
        return History(sample.days, first, night, sends)

    def _compared_history(self, sample: Sample, data: Path) -> History:
        """The same beside the baseline, which builds everything again after the night."""
        variables = self._variables(sample.landing, data)
        first_by_hand = self._by_hand("by hand", variables)
        first = self._refresh("first refresh", variables)
        self._compare(data)
        night_by_hand = self._by_hand("night by hand", self._variables(sample.night, data))
        sends = self._drop_night(sample)
        night = self._night(variables, data, REPETITIONS)
        self._compare(data)
        return History(sample.days, first, night, sends, first_by_hand, night_by_hand)

    def _drop_night(self, sample: Sample) -> int:
        sends = sample.night_sends()
        sample.drop_night()
        self._log(f"a night of {sends:,} sends")
        return sends

    def _night(self, variables: dict[str, str], data: Path, repetitions: int) -> RefreshCost:
        """The cheapest of several refreshes from the same state."""
        before, costs = data.with_name("before"), []
        shutil.copytree(data, before)
        for repetition in range(repetitions):
            if repetition:
                shutil.rmtree(data)
                shutil.copytree(before, data)
            costs.append(self._refresh("night", variables))
        shutil.rmtree(before)
        return min(costs, key=lambda cost: cost.all_told.cpu)

    def _admission_by_workers(self, sample: Sample) -> dict[int, Cost]:
        """The admission of a sample with one worker and with two, each from an empty data folder.

        Raises:
            FiguresDiffer: they leave different files in the lake.
        """
        costs, lakes = {}, []
        for workers in (1, 2):
            data = self._folder / "workers"
            variables = self._variables(sample.landing, data, load_workers=workers)
            costs[workers] = self._note(f"admission, {workers} workers", measure_stage("admission", variables))
            lakes.append({file.relative_to(data): hash_of(file) for file in (data / "lake").rglob("*.parquet")})
            shutil.rmtree(data)
        if lakes[0] != lakes[1]:
            raise FiguresDiffer("one worker and two leave different files in the lake")
        return costs

    def _command(self, command: str, sample: Sample, data: Path) -> Cost:
        cost = measure([SENDMART, command], self._variables(sample.landing, data))
        return self._note(f"sendmart {command}", cost)

    def _refresh(self, name: str, variables: dict[str, str], *options: str) -> RefreshCost:
        cost = measure_refresh(variables, *options)
        self._note(name, cost.all_told)
        for part in ("before_first_row", "admission", "build", "checks", "publication", "exports"):
            self._log(f"  {part.replace('_', ' ')}: {getattr(cost, part)}")
        return cost

    def _by_hand(self, name: str, variables: dict[str, str]) -> ByHand:
        process, stages = measure_stage_process("baseline", variables)
        costs = ByHand(process, Cost(**stages.figures["admission"]), Cost(**stages.figures["build"]))
        self._note(name, process)
        self._log(f"  admission: {costs.admission}\n  build: {costs.build}")
        return costs

    def _note(self, name: str, cost: Cost) -> Cost:
        self._measured.append(cost)
        others = cost.figures.get("cpu_of_others")
        self._log(f"{name}: {cost}" + (f"; {others:.1f} CPU s of others" if others is not None else ""))
        return cost

    @contextmanager
    def _sample(self, name: str, sends: int, days: int) -> Iterator[tuple[Sample, Path]]:
        """Sample logs and a data folder for them, which are deleted afterwards."""
        self._log(f"\n{name}: writing {sends:,} sends on {days} days, and a night")
        folder = self._folder / name
        yield write_history(folder, sends, days), folder / "data"
        shutil.rmtree(folder)

    def _variables(self, landing: Path, data: Path, **settings: object) -> dict[str, str]:
        return settings_variables(landing, data, insights=str(self._scale.insights).lower(), **settings)

    def _compare(self, data: Path) -> None:
        started, settings = time.perf_counter(), Settings()
        require_baseline_figures(settings, data)
        if self._scale.insights:
            require_baseline_insights(settings, data)
        self._log(f"marts and quarantined rows equal the baseline's ({time.perf_counter() - started:.0f} s)")
