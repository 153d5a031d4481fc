"""Audit pages on disk: `published/audits/<build id>.html`. A page is kept as long as its build, and a few more.

Not here: what a page shows (`quality.audit.html_report`).
"""

from collections.abc import Collection
from pathlib import Path

from warehouse.config import DataPaths
from warehouse.storage import sync_folder

OTHER_PAGES_KEPT = 10
"""The number of pages that are kept of builds that are not kept, such as builds that were held back."""


def page_path(paths: DataPaths, build_id: str) -> Path:
    return paths.audits / f"{build_id}.html"


def write_page(paths: DataPaths, build_id: str, page: str) -> Path:
    path = page_path(paths, build_id)
    with paths.atomic_write(path) as temp_path:
        temp_path.write_text(page, encoding="utf-8")
    return path


def prune_pages(paths: DataPaths, build_ids: Collection[str]) -> list[str]:
    """Deletes the pages of other builds than `build_ids`, except the latest few. Returns the builds of the deleted pages."""
    # A build id begins with the time of the build.
    other_pages = sorted(page for page in paths.audits.glob("*.html") if page.stem not in build_ids)
    deleted = other_pages[:-OTHER_PAGES_KEPT]
    for page in [*deleted, *paths.audits.glob(".*.tmp")]:
        page.unlink()
    if deleted:
        sync_folder(paths.audits)
    return [page.stem for page in deleted]
