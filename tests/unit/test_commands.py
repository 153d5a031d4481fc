"""The list of commands: complete, with the help texts of the commands, and printed without importing them."""

import pkgutil
import subprocess
import sys

import pytest

import orchestration.cli
from orchestration.cli.main import COMMANDS, load_command
from warehouse.config import PROJECT

_PRINTS_HELP = """
import sys
from orchestration.cli.main import app
app(["--help"], standalone_mode=False)
print(sorted({"polars", "pandas", "pandera", "pyarrow", "duckdb", "pydantic", "rich", "dagster", "dbt"} & set(sys.modules)))
"""


def test_every_module_of_a_command_is_listed() -> None:
    modules = {module.name.replace("_", "-") for module in pkgutil.iter_modules(orchestration.cli.__path__)}
    assert set(COMMANDS) == modules - {"main", "common", "output"}, (
        "add the command to COMMANDS in orchestration/cli/main.py"
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_has_the_first_sentence_of_the_help_text(name: str) -> None:
    command = load_command(name)
    assert command.name == name
    paragraph = " ".join((command.help or "").partition("\n\n")[0].split())
    assert COMMANDS[name] == paragraph.split(". ")[0].removesuffix(".") + "."


def test_the_list_is_printed_without_importing_a_command() -> None:
    process = subprocess.run(
        [sys.executable, "-c", _PRINTS_HELP], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert all(f"  {name} " in process.stdout for name in COMMANDS)
    assert process.stdout.splitlines()[-1] == "[]"
