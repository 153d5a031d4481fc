"""`python -m benchmarks.key_conflicts`: what finding key conflicts costs in a night, beside the admission of that night.

The update of a night is measured alone: with the index as it was before the night. Beside it stands the update without an
index, which reads the keys of the whole lake.

Not here: the other parts of a night (`harness`, `nights`).
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.measure import settings_variables
from benchmarks.samples import write_history
from models.enums import Log
from orchestration import stages
from orchestration.stages import AppContext
from warehouse.config.settings import load_settings
from warehouse.quarantine import update_key_conflicts


def _cpu_seconds(run: Callable[[], object]) -> float:
    before = sum(os.times()[:2])
    run()
    return sum(os.times()[:2]) - before


def main(
    sends: Annotated[int, typer.Option(help="Number of sends of the history.")] = 2_000_000,
    days: Annotated[int, typer.Option(help="Days of the history.")] = 73,
) -> None:
    """Measure a night after a history, and print a table."""
    folder = Path(tempfile.mkdtemp(prefix="sendmart-key-conflicts-"))
    try:
        sample = write_history(folder, sends, days)
        os.environ |= settings_variables(sample.landing, folder / "data")
        context = AppContext.of(load_settings())

        def admit() -> None:
            for log in Log:
                stages.load_changed(context, log)

        def update() -> None:
            update_key_conflicts(context.settings, context.paths, context.ledger)

        history = _cpu_seconds(admit)
        index, kept = context.paths.key_index, folder / "before.duckdb"
        shutil.copyfile(index, kept)
        sample.drop_night()
        night = _cpu_seconds(admit)
        shutil.copyfile(kept, index)
        costs = {"an update": _cpu_seconds(update)}
        size = index.stat().st_size
        index.unlink()
        costs["an update without an index"] = _cpu_seconds(update)
        typer.echo(f"admission: {history:.1f} CPU s of the history, {night:.2f} CPU s of the night")
        typer.echo("| key conflicts of a night | CPU s | x admission of the night |\n|---|--:|--:|")
        for name, cpu in costs.items():
            typer.echo(f"| {name} | {cpu:.2f} | {cpu / night:.3f} |")
        typer.echo(f"index: {size / 1e6:,.0f} MB for {sends:,} sends on {days} days")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    typer.run(main)
