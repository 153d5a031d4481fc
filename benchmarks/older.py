"""An older version of Sendmart, as it stands in the history: put into a folder of its own, and run from there.

It runs on the libraries that are installed now, and under its own version.

Not here: what is measured of it (`fixed`), what must come of its data (`tests/upgrade`).
"""

import subprocess
import tarfile
import tomllib
from io import BytesIO
from pathlib import Path

from warehouse.config.settings import PROJECT

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
"""What `sendmart` runs; with the folder of a version first on PYTHONPATH, it is that version's."""


class NoHistory(Exception):
    """The commit is not there: a shallow clone, or no clone at all."""


def put_older_version(commit: str, folder: Path) -> Path:
    """Puts the project as of a commit into the folder, and gives it back.

    Raises:
        NoHistory: with git's words.
    """
    archive = subprocess.run(["git", "archive", commit], cwd=PROJECT, capture_output=True, check=False)
    if archive.returncode:
        raise NoHistory(archive.stderr.decode().strip())
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    version = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["version"]
    # What is found first says which version it is, and that of the installed one is found last.
    told = folder / f"sendmart-{version}.dist-info" / "METADATA"
    told.parent.mkdir(exist_ok=True)
    told.write_text(f"Metadata-Version: 2.1\nName: sendmart\nVersion: {version}\n")
    return folder
