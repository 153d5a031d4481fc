"""Audit pages on disk: `published/audits/<build id>.html`. A page is kept as long as its build, and a few more.

Not here: what a page shows (`quality.audit.html_report`).
"""

from collections.abc import Collection
from pathlib import Path

from warehouse.storage import atomic_replace, sync_folder

OTHER_PAGES_KEPT = 10
"""The number of pages that are kept of builds that are not kept, such as builds that were held back."""


def page_path(folder: Path, build_id: str) -> Path:
    return folder / f"{build_id}.html"


def write_page(folder: Path, build_id: str, page: str) -> Path:
    """Writes the page of a build. Returns its path."""
    path = page_path(folder, build_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    temp_path = path.with_name(f".{path.name}.tmp")
    temp_path.write_text(page, encoding="utf-8")
    atomic_replace(temp_path, path)
    return path


def prune_pages(folder: Path, build_ids: Collection[str]) -> list[str]:
    """Deletes the pages of other builds than `build_ids`, except the latest few. Returns the builds of the deleted pages."""
    # A build id begins with the time of the build.
    others = sorted(page for page in folder.glob("*.html") if page.stem not in build_ids)
    deleted = others[:-OTHER_PAGES_KEPT]
    for page in [*deleted, *folder.glob(".*.tmp")]:
        page.unlink()
    if deleted:
        sync_folder(folder)
    return [page.stem for page in deleted]
