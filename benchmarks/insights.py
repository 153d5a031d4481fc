"""`python -m benchmarks.insights`: what the insights add to a full build and to a night, on the same logs in one run.

Two data folders, one with the insights and one without, take turns: admission, the first build, the build of one more day,
and a full build. The hand-written baseline builds its marts without and with the insights. The insights of both are compared
after the night and after the full build.

Not here: the base build beside the baseline (`harness`), how the insights are compared (`compare`).
"""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.compare import FiguresDiffer, require_baseline_insights
from benchmarks.measure import Cost, cheapest, measure_stage, settings_variables
from benchmarks.samples import Sample, write_history
from warehouse.config import Settings

TINY_SENDS, TINY_DAYS = 40, 4
"""A warehouse in which a build costs its fixed cost only."""

REPETITIONS = 2
"""A night is small, so that other work on the machine matters: the cheapest repetition counts."""

_STEPS = ("first build", "night", "full build")
_BASELINE = {False: "baseline build", True: "baseline build with insights"}
_BOTH = (False, True)

_Costs = dict[str, dict[bool, Cost]]
"""By step, the cost without and with the insights."""


def main(
    sends: Annotated[int, typer.Option(min=1, help="Number of sends.")] = 1_000_000,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Days of history; the night comes after them.")] = 37,
    memory_limit: Annotated[str, typer.Option(help="DuckDB's memory limit.")] = "2500MB",
) -> None:
    """Measure builds with and without the insights, beside a hand-written baseline."""
    folder = Path(tempfile.mkdtemp(prefix="sendmart-insights-"))
    try:
        fixed = _Run(folder / "tiny", TINY_SENDS, TINY_DAYS, memory_limit).costs()
        costs = _Run(folder / "history", sends, days, memory_limit).costs()
    except FiguresDiffer as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    finally:
        shutil.rmtree(folder)
    typer.echo(f"{sends:,} sends on {days} days, memory_limit {memory_limit}\n\n{_table(costs, fixed)}")
    for step in ("full build", "night"):
        slowest = sorted(costs[step][True].figures["models"].items(), key=lambda item: -item[1])[:20]
        typer.echo(f"slowest models, {step}: " + ", ".join(f"{model} {seconds:.1f} s" for model, seconds in slowest))


def _table(costs: _Costs, fixed: _Costs) -> str:
    """The CPU seconds and the memory of each step, and the part of the CPU seconds that builds of few rows cost as well."""
    lines = [
        "| step | CPU s without | CPU s with | ratio | fixed without | fixed with | ratio beyond | MB without | MB with |",
        "|---|" + "--:|" * 8,
    ]
    for step, of_step in costs.items():
        without, with_insights = (of_step[insights] for insights in _BOTH)
        fixed_costs = [fixed[step][insights].cpu for insights in _BOTH]
        beyond = [of_step[insights].cpu - fixed[step][insights].cpu for insights in _BOTH]
        lines.append(
            f"| {step} | {without.cpu:.1f} | {with_insights.cpu:.1f} | {with_insights.cpu / without.cpu:.2f}"
            f" | {fixed_costs[0]:.1f} | {fixed_costs[1]:.1f} | {beyond[1] / beyond[0] if beyond[0] > 0 else 0:.2f}"
            f" | {without.peak / 1e6:,.0f} | {with_insights.peak / 1e6:,.0f} |"
        )
    night, full = (costs[step][True].cpu for step in ("night", "full build"))
    lines.append(f"\nthe night with the insights: {night / full:.3f} x the full build with them\n")
    return "\n".join(lines)


@dataclass(frozen=True)
class _Run:
    """The steps on one sample, in a folder that does not exist yet."""

    folder: Path
    sends: int
    days: int
    memory_limit: str

    def costs(self) -> _Costs:
        """Raises FiguresDiffer if insights differ from those of the baseline."""
        sample = write_history(self.folder, self.sends, self.days)
        costs: _Costs = {step: {} for step in _STEPS}
        for insights in _BOTH:
            self._stage("admission", sample, insights)
            costs["first build"][insights] = self._stage("build", sample, insights)
        self._stage("baseline admission", sample, True)
        self._stage("baseline admission", Sample(sample.days, sample.night, sample.night), True)
        sample.drop_night()
        costs["baseline"] = {insights: self._stage(_BASELINE[insights], sample, True) for insights in _BOTH}
        for insights in _BOTH:
            self._stage("admission", sample, insights)
            costs["night"][insights] = self._night(sample, insights)
        self._compare()
        for insights in _BOTH:
            costs["full build"][insights] = self._stage("rebuild", sample, insights)
        self._compare()
        return costs

    def _night(self, sample: Sample, insights: bool) -> Cost:
        """The cheapest of several builds of the same night."""
        data, before, nights = self._data(insights), self.folder / "before", []
        shutil.copytree(data, before)
        for _ in range(REPETITIONS):
            shutil.rmtree(data)
            shutil.copytree(before, data)
            nights.append(self._stage("build", sample, insights))
        shutil.rmtree(before)
        return cheapest(nights)

    def _data(self, insights: bool) -> Path:
        return self.folder / ("with" if insights else "without")

    def _stage(self, name: str, sample: Sample, insights: bool) -> Cost:
        settings = {"memory_limit": self.memory_limit, "threads": 2, "insights": str(insights).lower()}
        cost = measure_stage(name, settings_variables(sample.landing, self._data(insights), **settings))
        typer.echo(f"{name}, {self.folder.name}, {self._data(insights).name} insights: {cost}", err=True)
        return cost

    def _compare(self) -> None:
        require_baseline_insights(Settings(memory_limit=self.memory_limit, threads=2), self._data(True))
        typer.echo("the insights equal the baseline's", err=True)


if __name__ == "__main__":
    typer.run(main)
