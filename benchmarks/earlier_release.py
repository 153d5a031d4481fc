"""An earlier release of Sendmart: its files are taken from git into a folder, and run from there.

It runs on the libraries that are installed now, under its own version number.

Not here: the measurements (`fixed`), the upgrade of its data (`tests/upgrade`).
"""

import subprocess
import tarfile
import tomllib
from io import BytesIO
from pathlib import Path

from warehouse.config import PROJECT

LAST_OF_0_1 = "ba4bd2cca64c96b4f0b3cd5be8d96950cf599c23"
"""The last commit of version 0.1.0."""

LAST_OF_0_2 = "cee12246fe59f063cea4db53d619dbf50358938a"
"""The last commit of version 0.2.0."""

RUN = """
try:
    from orchestration.cli.main import main
except ModuleNotFoundError:  # before 0.3.0
    from orchestration.cli import main
main()
"""
"""The code of the `sendmart` program. It runs the release whose folder is first on PYTHONPATH."""


class NoHistory(Exception):
    """The commit is missing: this is a shallow clone, or no clone."""


def extract_release(commit: str, folder: Path) -> Path:
    """Writes the project as of a commit to a folder, and returns the folder.

    Raises:
        NoHistory: with git's message.
    """
    archive = subprocess.run(["git", "archive", commit], cwd=PROJECT, capture_output=True, check=False)
    if archive.returncode:
        raise NoHistory(archive.stderr.decode().strip())
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    version = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["version"]
    # importlib.metadata takes the first match on the path: this folder comes before the installed release.
    metadata = folder / f"sendmart-{version}.dist-info" / "METADATA"
    metadata.parent.mkdir(exist_ok=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: sendmart\nVersion: {version}\n")
    return folder
