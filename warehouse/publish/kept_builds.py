"""Kept builds: `published/builds/<build id>.duckdb`, to roll back to. The published file is a second name of one of them.

Not here: publication and rollback (`warehouse.publish.publication`).
"""

import logging
import re
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path

from warehouse.duckdb_tools import corruption_reason
from warehouse.ledger import Ledger, Publication
from warehouse.storage import atomic_replace, link_or_copy

log = logging.getLogger("sendmart.publication")

MANAGED_NAMES = r"\.?[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}\.(duckdb|duckdb\.wal|tmp)"
"""Names in the folder that `prune` may delete."""


class BuildNotFound(Exception):
    """There is no such build to roll back to, or no rollback to it is possible. The message gives the reason."""


@dataclass(frozen=True)
class KeptBuilds:
    """The kept builds in a folder, and their publications in the ledger."""

    folder: Path
    ledger: Ledger

    def path_of(self, build_id: str) -> Path:
        return self.folder / f"{build_id}.duckdb"

    def publications(self) -> list[Publication]:
        """The last publication of each kept build, in order. The last one is the published build."""
        last: dict[str, Publication] = {}
        for publication in self.ledger.publications():
            last.pop(publication.build_id, None)
            last[publication.build_id] = publication
        return [publication for publication in last.values() if self.path_of(publication.build_id).exists()]

    def find(self, build_id: str) -> Path:
        """The file of a build. Raises BuildNotFound if the build is not kept."""
        if build_id not in (publication.build_id for publication in self.publications()):
            raise BuildNotFound(f"build {build_id} is not kept")
        return self.path_of(build_id)

    def previous(self) -> str | None:
        """The build to roll back to by default; None if there is none.

        It is the last build before the published one that no rollback published or withdrew, and whose file is undamaged.
        """
        publications, last = self.ledger.publications(), self.ledger.last_publication()
        history = [publication.build_id for publication in publications if publication.rolled_back_from is None]
        current = last and last[0]
        skipped = {publication.rolled_back_from for publication in publications} | {current}
        for build_id in dropwhile(lambda build_id: build_id != current, reversed(history)):
            path = self.path_of(build_id)
            if build_id not in skipped and path.exists() and not corruption_reason(path):
                return build_id
        return None

    def build_ids(self) -> set[str]:
        """The builds that have a file: the kept builds, the candidate and the published build."""
        candidate, published = self.ledger.candidate(), self.ledger.last_publication()
        build_ids = {file.stem for file in self.folder.glob("*.duckdb")}
        return build_ids | ({candidate.build_id} if candidate else set()) | ({published[0]} if published else set())

    def keep(self, file: Path, build_id: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        replace_with_link(file, self.path_of(build_id))

    def prune(self, keep: int) -> list[str]:
        """Deletes all but the last `keep` builds, damaged files, and temporary files. Returns the deleted names."""
        undamaged = []
        for publication in self.publications():
            if reason := corruption_reason(self.path_of(publication.build_id)):
                log.warning("%s: a rollback to it is no longer possible", reason)
            else:
                undamaged.append(publication.build_id)
        kept_names = {self.path_of(build_id).name for build_id in undamaged[-keep:]}
        files = [file for file in sorted(self.folder.iterdir()) if re.fullmatch(MANAGED_NAMES, file.name)]
        deleted = [file for file in files if file.name not in kept_names]
        for file in deleted:
            file.unlink()
        return [file.name for file in deleted]


def replace_with_link(file: Path, path: Path) -> None:
    """Replaces `path` by a second name of a file, in one step."""
    temp_path = path.with_name(f".{path.stem}.tmp")
    link_or_copy(file, temp_path)
    atomic_replace(temp_path, path)
    # If both names were of the same file, the rename did nothing.
    temp_path.unlink(missing_ok=True)
