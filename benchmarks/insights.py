"""`python -m benchmarks.insights`: what the insights add to a full build and to a night, on the same logs in one run.

Two data folders, one with the insights and one without, take turns: admission, the first build, the build of one more day,
and a full build. The cost of a build of very few rows is taken off.

Not here: the base build beside the baseline (`harness`).
"""

import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.harness import REPETITIONS, TINY_DAYS, TINY_SENDS
from benchmarks.measure import Cost, cheapest, measure_stage, settings_variables
from benchmarks.samples import write_history

_STEPS = ("first build", "night", "full build")


def main(
    sends: Annotated[int, typer.Option(min=1, help="Number of sends.")] = 1_000_000,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Days of history; the night comes after them.")] = 37,
    memory_limit: Annotated[str, typer.Option(help="DuckDB's memory limit.")] = "2500MB",
) -> None:
    """Measure builds with and without the insights."""
    folder = Path(tempfile.mkdtemp(prefix="sendmart-insights-"))
    try:
        fixed = _costs(folder / "tiny", TINY_SENDS, TINY_DAYS, memory_limit)
        costs = _costs(folder / "history", sends, days, memory_limit)
    finally:
        shutil.rmtree(folder)
    typer.echo(f"{sends:,} sends on {days} days, memory_limit {memory_limit}\n")
    typer.echo("| step | CPU s without | CPU s with | ratio | fixed without | fixed with | MB without | MB with |")
    typer.echo("|---|" + "--:|" * 7)
    for step in _STEPS:
        without, with_insights = (costs[step][insights].without(fixed[step][insights]) for insights in (False, True))
        ratio = f"{with_insights.cpu / without.cpu:.2f}" if without.cpu else ""
        typer.echo(
            f"| {step} | {without.cpu:.1f} | {with_insights.cpu:.1f} | {ratio} | {fixed[step][False].cpu:.1f}"
            f" | {fixed[step][True].cpu:.1f} | {without.peak / 1e6:,.0f} | {with_insights.peak / 1e6:,.0f} |"
        )
    night, full = (costs[step][True].without(fixed[step][True]).cpu for step in ("night", "full build"))
    typer.echo(f"\nthe night with the insights: {night / full:.3f} x the full build with them")
    for step in ("full build", "night"):
        slowest = sorted(costs[step][True].figures["models"].items(), key=lambda item: -item[1])[:20]
        typer.echo(f"slowest models, {step}: " + ", ".join(f"{model} {seconds:.1f} s" for model, seconds in slowest))


def _costs(folder: Path, sends: int, days: int, memory_limit: str) -> dict[str, dict[bool, Cost]]:
    """By step, the cost of the build without and with the insights."""
    sample = write_history(folder, sends, days)
    data = {insights: folder / f"data-{insights}" for insights in (False, True)}

    def stage(name: str, insights: bool) -> Cost:
        settings = {"memory_limit": memory_limit, "threads": 2, "insights": str(insights).lower()}
        cost = measure_stage(name, settings_variables(sample.landing, data[insights], **settings))
        typer.echo(f"{name}, {folder.name}, {'with' if insights else 'without'} insights: {cost}", err=True)
        return cost

    costs: dict[str, dict[bool, Cost]] = {step: {} for step in _STEPS}
    for insights in data:
        stage("admission", insights)
        costs["first build"][insights] = stage("build", insights)
    sample.drop_night()
    for insights, path in data.items():
        stage("admission", insights)
        before, nights = path.with_name("before"), []
        shutil.copytree(path, before)
        for _ in range(REPETITIONS):
            shutil.rmtree(path)
            shutil.copytree(before, path)
            nights.append(stage("build", insights))
        shutil.rmtree(before)
        costs["night"][insights] = cheapest(nights)
    for insights in data:
        costs["full build"][insights] = stage("rebuild", insights)
    return costs


if __name__ == "__main__":
    typer.run(main)
