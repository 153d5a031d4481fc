"""`sendmart sources`: list sources, show a mapping, test it on a file."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from models.source_mapping import Source
from orchestration.cli.common import FAILED, USAGE_ERROR, fail
from orchestration.cli.output.console import console, short_path
from orchestration.cli.output.trial import print_trials, trials_as_json
from quality.admission import validate
from warehouse.config.settings import SettingsError, load_settings
from warehouse.ingest.sources import load_sources, mapping_file, read_mapping
from warehouse.ingest.trial import try_file

app = typer.Typer(name="sources", no_args_is_help=True, help="Mappings of other systems' exports to the logs.")

Name = Annotated[str, typer.Argument(help="Name of a source, or path of a mapping file.")]


@app.command("list")
def list_() -> None:
    """List the sources: shipped ones, and your own in SENDMART_SOURCES.

    Exit code 2: a mapping file or a setting is invalid.
    """
    try:
        own = load_settings().sources
        sources = load_sources(own)
    except SettingsError as error:
        fail(str(error), USAGE_ERROR)
    table = Table("Source", "Files below the landing zone", "Logs", "Mapping")
    for source in sources.values():
        if source.mapping:
            file = mapping_file(own, source.name)
            is_own = file is not None and file.parent == own
            logs = ", ".join(source.mapping.logs)
            table.add_row(source.name, source.mapping.files, logs, "own" if is_own else "shipped")
    console.print(table)
    console.print("Next: sendmart sources show NAME, sendmart sources test NAME FILE; docs/sources/README.md")


@app.command()
def show(name: Name) -> None:
    """Show the mapping of a source.

    Exit code 2: there is no such source, or it is invalid.
    """
    _, file = _find(name)
    console.print(f"# {short_path(file)}")
    console.print(file.read_text(encoding="utf-8").rstrip())


@app.command()
def test(
    name: Name,
    file: Annotated[Path, typer.Argument(help="An exported file, anywhere.")],
    *,
    rows: Annotated[int, typer.Option(min=0, help="Number of mapped rows to show for each log.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Test a mapping on a file: the first mapped rows beside the raw records, and the first 100 faults. Nothing is written.

    Exit code 0: every selected record gives a row. 1: a record would be rejected, or the file refused. 2: an argument or the
    mapping is invalid.
    """
    source, _ = _find(name)
    if not file.is_file():
        fail(f"{file}: no such file", USAGE_ERROR)
    logs = source.mapping.logs if source.mapping else ()
    trials = [try_file(file, log, source, validate, samples=rows) for log in logs]
    if as_json:
        typer.echo(trials_as_json(trials))
    else:
        print_trials(trials)
    if not all(trial.is_accepted for trial in trials):
        raise typer.Exit(FAILED)


def _find(name: str) -> tuple[Source, Path]:
    """A source, checked, and its mapping file."""
    try:
        path = Path(name)
        file = path if path.suffix in (".yml", ".yaml") else mapping_file(load_settings().sources, name)
        if file is None:
            fail(f"{name}: no such source. List them: sendmart sources list", USAGE_ERROR)
        return read_mapping(file), file
    except SettingsError as error:
        fail(str(error), USAGE_ERROR)
