"""The sources: an asset for each, upstream of the logs that it feeds. The assets of the logs load its files and report them.

Not here: mapping files (`warehouse.ingest.sources`), the assets of the logs (`orchestration.defs.logs`).
"""

from collections.abc import Iterable, Iterator

import dagster as dg

from models.enums import Log
from models.source_mapping import Source
from orchestration.defs.shared import OWNERS
from orchestration.metadata import tags
from warehouse.config.settings import load_settings
from warehouse.ingest.sources import load_sources
from warehouse.ledger import LoadedFile


def source_key(name: str) -> dg.AssetKey:
    return dg.AssetKey(["sources", name])


def sources_of(log: Log, sources: Iterable[Source]) -> list[dg.AssetKey]:
    """The assets of the sources that feed a log."""
    return [source_key(source.name) for source in sources if source.mapping and log in source.mapping.logs]


def source_materializations(
    loaded: Iterable[LoadedFile], recorded: Iterable[LoadedFile]
) -> Iterator[dg.AssetMaterialization]:
    """The events of the sources of loaded files. `recorded`: all files of all logs in the ledger."""
    names = sorted({file.source for file in loaded if file.mapping})
    recorded = list(recorded)
    for name in names:
        files = [file for file in recorded if file.source == name and file.mapping]
        lines = ["| log | records | selected | accepted | rejected |", "| --- | --- | --- | --- | --- |"]
        for log in Log:
            of_log = [file for file in files if file.log == log]
            if of_log:
                counts = (
                    sum(file.records for file in of_log),
                    sum(file.records - file.not_selected for file in of_log),
                    sum(file.accepted for file in of_log),
                    sum(file.rejected for file in of_log),
                )
                lines.append(f"| {log} | {' | '.join(map(str, counts))} |")
        # A file that feeds several logs is read once for each, and its records are the same.
        by_path = {file.path_in_landing: file.records for file in files}
        yield dg.AssetMaterialization(
            source_key(name),
            metadata={
                "files": len(by_path),
                "files_refused": len({file.path_in_landing for file in files if file.refusal}),
                "records_read": sum(by_path.values()),
                "records_selected": sum(file.records - file.not_selected for file in files),
                "rows_accepted": sum(file.accepted for file in files),
                "rows_rejected": sum(file.rejected for file in files),
                "by_log": dg.MetadataValue.md("\n".join(lines)),
            },
        )


@dg.definitions
def sources() -> dg.Definitions:
    specs = [
        dg.AssetSpec(
            source_key(source.name),
            description=f"{source.mapping.description}. Files: `{source.mapping.files}` in the landing zone.",
            group_name="sources",
            owners=OWNERS,
            kinds={source.mapping.format.type},
            tags=tags("sources", [name for log in source.mapping.logs.values() for name in log.columns]),
            code_version=source.fingerprint[:12],
            metadata={"mapping": source.fingerprint[:12], "documented_at": source.mapping.documented_at or "none"},
        )
        for source in load_sources(load_settings().sources).values()
        if source.mapping
    ]
    return dg.Definitions(assets=specs)
