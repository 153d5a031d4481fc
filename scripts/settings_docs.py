"""`.env.example` and `docs/settings.md`: every setting with its default and its meaning, generated from `Settings`.

`make docs` writes both; a test says when they are stale.

Not here: the settings (`warehouse.config.settings`).
"""

import re
from collections.abc import Iterable
from pathlib import Path

from pydantic.fields import FieldInfo

from scripts.field_docs import describe_fields
from warehouse.config.settings import PREFIX, PROJECT, RENAMED_SETTINGS, SECRETS, Settings

SECTIONS = {
    "landing": "Folders",
    "reporting_currency": "Figures and reports",
    "insights": "Insights",
    "daily_logs": "Logs",
    "engine": "Engine",
    "max_rejected_share": "Release gate, builds and exports",
    "refresh_time": "Schedules and alerts",
    "report_subscriptions": "Reports by e-mail",
    "reports_host": "Report pages",
}
"""Heading of a section, by the first setting of the section. A section ends where the next one begins."""

_ENV_EXAMPLE = """# Every setting, with its default. Copy this file to .env, and remove the # before the settings that you change.
# NAME_FILE may name a file that holds the secret NAME.
# Variables of the environment override .env. docs/settings.md has the same settings as tables.
# Generated from warehouse/config/settings.py by `make docs`; do not edit.
"""

_SETTINGS_PAGE = """# Settings

<!-- Generated from warehouse/config/settings.py by `make docs`; do not edit. -->

Sendmart reads settings from the environment and from `.env`; the environment wins. It validates all of them before
anything runs. Relative paths start at the project folder. [`.env.example`](../.env.example) is a template for `.env`.

{secrets} are secrets: their values are never printed. Instead of a
secret, the name of a file that holds it can be set, in a variable with the ending `_FILE`: `{file}=/run/secrets/alerts`.
White space around the secret in the file does not count. With systemd: [servers](servers.md#secrets).
"""

_RENAMED = """
## Renamed settings

Release 0.3.0 renamed these settings. It reads the old names with a warning; release 0.4.0 will not read them.

| old name | new name |
|---|---|"""


def env_example() -> str:
    """The text of `.env.example`: each setting is commented out, so that a copy changes nothing."""
    lines = [_ENV_EXAMPLE]
    for name, field in _documented_fields():
        if name in SECTIONS:
            lines += [f"# --- {SECTIONS[name]}", ""]
        lines += [f"# {_meaning(field)}", f"#{_variable(name)}={_default(field)}", ""]
    return "\n".join(lines)


def settings_page() -> str:
    """The text of `docs/settings.md`: a table for each section, and the renamed settings."""
    *variables, last = (f"`{_variable(name)}`" for name in SECRETS)
    secrets = f"{', '.join(variables)} and {last}"
    lines = [_SETTINGS_PAGE.format(secrets=secrets, file=f"{_variable(SECRETS[0])}_FILE").rstrip("\n")]
    for name, field in _documented_fields():
        if name in SECTIONS:
            lines += ["", f"## {SECTIONS[name]}", "", "| setting | default | meaning |", "|---|---|---|"]
        default = _default(field)
        meaning = re.sub(r"docs/([\w-]+)\.md", r"[\1](\1.md)", _meaning(field))
        lines.append(f"| `{_variable(name)}` | {f'`{default}`' if default else ''} | {meaning} |")
    lines.append(_RENAMED)
    lines += [f"| `{old}` | `{new}` |" for old, new in RENAMED_SETTINGS.items()]
    return "\n".join(lines) + "\n"


def _documented_fields() -> Iterable[tuple[str, FieldInfo]]:
    describe_fields(Settings)
    return Settings.model_fields.items()


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _meaning(field: FieldInfo) -> str:
    return " ".join((field.description or "").split())


def _default(field: FieldInfo) -> str:
    """The default as it is written in `.env`; empty if the description says it."""
    if field.default_factory or field.default is None:
        return ""
    return str(field.default).lower() if isinstance(field.default, bool) else str(field.default)


def write(project: Path = PROJECT) -> None:
    """Writes both files."""
    (project / ".env.example").write_text(env_example(), encoding="utf-8")
    (project / "docs" / "settings.md").write_text(settings_page(), encoding="utf-8")


if __name__ == "__main__":
    write()
