"""Where audit pages lie, and how long: as long as the build that they tell of can still be looked at.

Not here: what a page shows (`quality.audit.html_report`).
"""

from pathlib import Path

from warehouse.foundation import DataPaths, Ledger, atomic_replace, sync_folder

HELD_BACK_KEPT = 10
"""Of so many builds that are kept nowhere, the latest, pages stay: whoever was woken up by one wants to read it."""


def path_of(paths: DataPaths, build_id: str) -> Path:
    return paths.audits / f"{build_id}.html"


def write(paths: DataPaths, build_id: str, page: str) -> Path:
    """Puts a build's page in place, whole, and gives the place."""
    path = path_of(paths, build_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    temp_path = path.with_name(f".{path.name}.tmp")
    temp_path.write_text(page, encoding="utf-8")
    atomic_replace(temp_path, path)
    return path


def prune(paths: DataPaths, ledger: Ledger) -> list[str]:
    """Deletes the pages of builds that are not there any more; gives these builds.

    There are the candidate, what is published, and the kept builds; of all others the latest few stay.
    """
    candidate, published = ledger.candidate(), ledger.last_publication()
    there = {file.stem for file in paths.kept_builds.glob("*.duckdb")}
    there |= {candidate.build_id} if candidate else set()
    there |= {published[0]} if published else set()
    # A build's id begins with its time.
    others = sorted(page for page in paths.audits.glob("*.html") if page.stem not in there)
    gone = others[:-HELD_BACK_KEPT]
    for page in [*gone, *paths.audits.glob(".*.tmp")]:
        page.unlink()
    if gone:
        sync_folder(paths.audits)
    return [page.stem for page in gone]
