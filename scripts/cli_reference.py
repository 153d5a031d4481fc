"""`docs/cli.md`: every command with its arguments and options, generated from the help texts.

`make docs` writes it; a test says when it is stale.

Not here: the help texts; each command's function has its own.
"""

import re
from collections.abc import Iterator

from typer.core import TyperCommand, TyperGroup

from orchestration.cli.main import COMMANDS, load_command
from warehouse.config import PROJECT

PAGE = PROJECT / "docs" / "cli.md"

PIPE = "\\|"
"""A pipe in a cell of a Markdown table."""

_INTRODUCTION = """# Commands

<!-- Generated from the help texts of the commands by `make docs`; do not edit. -->

`sendmart` is in `.venv/bin`. `sendmart COMMAND --help` prints the same texts. Exit code 2 always means that nothing ran:
an argument, an option or a setting is invalid.

| command | purpose |
|---|---|"""


def cli_page() -> str:
    """The text of `docs/cli.md`: a table of the commands, and a section for each."""
    commands = list(_commands())
    lines = [_INTRODUCTION]
    for name, command in commands:
        purpose, _, _ = _paragraphs(command)[0].partition(". ")
        lines.append(f"| [`{name}`](#{name.replace(' ', '-')}) | {purpose.rstrip('.')} |")
    for name, command in commands:
        lines += ["", *_section(name, command)]
    return "\n".join(lines) + "\n"


def _commands() -> Iterator[tuple[str, TyperCommand]]:
    for name in COMMANDS:
        for path, leaf in _leaves(f"sendmart {name}", load_command(name)):
            assert isinstance(leaf, TyperCommand)
            yield path, leaf


def _leaves(path: str, command: object) -> Iterator[tuple[str, object]]:
    if isinstance(command, TyperGroup):
        for name, inner in command.commands.items():
            yield from _leaves(f"{path} {name}", inner)
    else:
        yield path, command


def _paragraphs(command: TyperCommand) -> list[str]:
    return [" ".join(paragraph.split()) for paragraph in (command.help or "").split("\n\n")]


def _section(name: str, command: TyperCommand) -> list[str]:
    context = command.make_context(name, [], resilient_parsing=True)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    lines = [f"## {name}", "", f"`{usage}`"]
    for paragraph in _paragraphs(command):
        lines += ["", re.sub(r"docs/([\w-]+)\.md", r"[\1](\1.md)", paragraph)]
    rows = [
        f"| `{record[0].replace('|', PIPE)}` | {_meaning(record[1])} |"
        for parameter in command.params
        if (record := parameter.get_help_record(context))
    ]
    return [*lines, "", "| argument or option | meaning |", "|---|---|", *rows] if rows else lines


def _meaning(text: str) -> str:
    """The help text of an argument or option; what Typer adds in brackets, as a sentence."""
    meaning, bracket, addition = " ".join(text.split()).partition(" [")
    addition = addition.rstrip("]").removeprefix("default: ")
    if not bracket or addition.startswith("no-"):
        return meaning
    return f"{meaning} {'Required.' if addition == 'required' else f'Default: `{addition}`.'}"


if __name__ == "__main__":
    PAGE.write_text(cli_page(), encoding="utf-8")
