"""dbt's docs site as one page: lineage, columns, tests and exposures, for whoever asks where a figure comes from.

It is a file that a browser opens, without a server, and it calls nobody.

Not here: the data dictionary (`models.data_dictionary`), which says the same of the published marts alone.
"""

import json
from pathlib import Path

from models.masking import masking_logger
from warehouse.foundation import DataPaths, Engine, Settings, atomic_replace, remove
from warehouse.transform.dbt_runner import dbt_manifest, first_line, run_dbt

_CHARSET = '<meta charset="utf-8">'
_POLICY = (
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'unsafe-inline' "
    "'unsafe-eval'; style-src 'unsafe-inline'; img-src data:; font-src data:\">"
)
"""dbt's page can load a tracker, where a project lets it; this one could not, nor anything else from elsewhere."""

log = masking_logger("sendmart.docs")


def write_dbt_docs(settings: Settings, paths: DataPaths) -> Path:
    """Writes the page to the data folder; where there is no build of DuckDB's to look into, without the types of its
    columns.

    Raises:
        BuildFailed: the project cannot be parsed.
    """
    dbt_manifest(settings, paths)
    # Of a build on Spark, dbt would ask Spark.
    is_built = settings.engine == Engine.DUCKDB and paths.build.exists() and paths.candidate.exists()
    written, catalog = paths.dbt_target / "static_index.html", paths.dbt_target / "catalog.json"
    try:
        # Without a build, dbt would make the files that it looks into.
        look = [] if is_built else ["--empty-catalog"]
        run_dbt(settings, paths, ["docs", "generate", "--static", "--no-compile", *look])
        # dbt goes on without what it cannot read, and says so there only.
        for error in dict.fromkeys(json.loads(catalog.read_text(encoding="utf-8"))["errors"] or ()):
            log.warning("types of columns are missing: %s", first_line(error))
        page = written.read_text(encoding="utf-8")
    finally:
        for made in (written, catalog, paths.dbt_target / "index.html"):
            remove(made)
    path = paths.data / "dbt-docs.html"
    temp_path = path.with_name(f".{path.name}.tmp")
    temp_path.write_text(page.replace(_CHARSET, _CHARSET + _POLICY, 1), encoding="utf-8")
    atomic_replace(temp_path, path)
    return path
