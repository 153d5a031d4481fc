"""dbt's docs site as one HTML file, which a browser opens without a server and which makes no requests.

Not here: the data dictionary of the published marts (`scripts/data_dictionary.py`).
"""

import json
from pathlib import Path

from models.masking import masking_logger
from warehouse.config import DataPaths, Engine, Settings
from warehouse.storage import remove
from warehouse.transform.dbt_runner import dbt_manifest, first_line, run_dbt

_CHARSET = '<meta charset="utf-8">'
_POLICY = (
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'unsafe-inline' "
    "'unsafe-eval'; style-src 'unsafe-inline'; img-src data:; font-src data:\">"
)
"""dbt's page can load a tracker if a project allows it. This policy forbids all requests."""

log = masking_logger("sendmart.docs")


def write_dbt_docs(settings: Settings, paths: DataPaths) -> Path:
    """Writes the page and returns its path. Without a build on DuckDB, types of columns are missing. Raises BuildFailed."""
    dbt_manifest(settings, paths)
    # For a build on Spark, dbt would query Spark.
    is_built = settings.engine == Engine.DUCKDB and paths.build.exists() and paths.candidate.exists()
    written, catalog = paths.dbt_target / "static_index.html", paths.dbt_target / "catalog.json"
    try:
        # Without a build, dbt would create the files that it reads.
        options = [] if is_built else ["--empty-catalog"]
        run_dbt(settings, paths, ["docs", "generate", "--static", "--no-compile", *options])
        # dbt omits what it cannot read, and reports it in the catalog only.
        for error in dict.fromkeys(json.loads(catalog.read_text(encoding="utf-8"))["errors"] or ()):
            log.warning("types of columns are missing: %s", first_line(error))
        page = written.read_text(encoding="utf-8")
    finally:
        for file in (written, catalog, paths.dbt_target / "index.html"):
            remove(file)
    path = paths.data / "dbt-docs.html"
    with paths.atomic_write(path) as temp_path:
        temp_path.write_text(page.replace(_CHARSET, _CHARSET + _POLICY, 1), encoding="utf-8")
    return path
