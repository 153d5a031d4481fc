"""`.env.example`: every setting with what it means and its default, made from the settings themselves.

`make docs` writes it; a test keeps the two the same.

Not here: the settings (`warehouse.config.settings`).
"""

import sys
from typing import Any

from warehouse.config.settings import PREFIX, Settings

_INTRODUCTION = """# Every setting, with its default. Copy this file to .env and take the # away from what is to be otherwise;
# variables of the environment go before .env. README.md has them in a table.
# Made from warehouse/config/settings.py by `make docs`; do not edit.
"""


def settings_example() -> str:
    """The whole file: no line of it changes anything."""
    lines = [_INTRODUCTION]
    for name, field in Settings.model_fields.items():
        default = "" if field.default_factory else _written(field.default)
        lines += [f"# {field.description}", f"#{PREFIX}{name.upper()}={default}", ""]
    return "\n".join(lines[:-1])


def _written(default: Any) -> str:
    if default is None:
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    return str(default)


if __name__ == "__main__":
    sys.stdout.write(settings_example() + "\n")
