"""The sources of a landing zone: files that a source maps no more, and files that are loaded again for a changed mapping or
for new rules of admission; files that two sources read.

Not here: reading and evaluating mappings (`warehouse.ingest.sources`).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable

from models.enums import Log
from models.source_mapping import Source
from orchestration.wording import counted
from warehouse.config.settings import Settings
from warehouse.ingest.sources import MappingInvalid, has_mapping_files
from warehouse.landing.scan import LandingFile, LandingZone
from warehouse.ledger import Ledger, LoadedFile
from warehouse.storage import is_object


class SourcesMissing(Exception):
    """There is no mapping of one's own, and files of sources that are gone would lose their rows. The message names them."""


def check_sources(settings: Settings, zone: LandingZone, sources: Iterable[str]) -> None:
    """Checks that the folder of own mappings was not lost: each file of its sources would lose its rows.

    Raises:
        SourcesMissing: there is no own mapping, and a file that would lose its rows is of none of these sources.
    """
    gone = {file.source.name for file in zone.files if file.source and not file.source.mapping} - set(sources)
    if gone and not has_mapping_files(settings.sources):
        paths = {file.path_in_landing for file in zone.files if file.source and file.source.name in gone}
        folder = (
            f"SENDMART_SOURCES, {settings.sources}, holds no mapping"
            if settings.sources
            else "SENDMART_SOURCES is unset"
        )
        names, examples = ", ".join(sorted(gone)), f"{min(paths)}{', …' if len(paths) > 1 else ''}"
        raise SourcesMissing(
            f"{folder}, and the rows of {counted(len(paths), 'file')} would be removed, which {names} mapped ({examples})"
        )


def check_claims(zone: LandingZone) -> None:
    """Checks that no file is read by two sources: its rows would count twice.

    Raises:
        MappingInvalid: a file is.
    """
    claims: dict[str, set[str]] = defaultdict(set)
    for file in zone.files:
        if file.source and file.source.mapping:
            claims[file.path_in_landing].add(file.source.name)
    for path, names in claims.items():
        if len(names) > 1:
            raise MappingInvalid(
                f"{path}: the sources {' and '.join(sorted(names))} both read this file, and its rows would count twice. Change"
                " files in one of the mappings; to replace a shipped mapping, give yours the same name"
            )


def withdrawn_files(settings: Settings, zone: LandingZone, recorded: Iterable[LoadedFile]) -> list[LandingFile]:
    """The files that were mapped when they were loaded, are still in the landing zone, and are mapped no more.

    They are loaded as files without records, which removes their rows.
    """
    mapped = {(file.log, file.source_file, file.log_date) for file in zone.files}
    withdrawn = []
    for file in recorded:
        if (file.log, file.source_file, file.log_date) in mapped:
            continue
        path = settings.landing / file.path_in_landing
        is_there = file.path_in_landing in zone.ignored if is_object(path) else path.exists()
        if is_there:
            source = Source(file.source, "", None)
            withdrawn.append(LandingFile(file.log, file.log_date, file.source_file, path, source=source))
    return withdrawn


def reload_lines(pending: Iterable[LandingFile], ledger: Ledger) -> list[str]:
    """A line for each source whose mapping has changed since its files were loaded, and for each log with files that are loaded
    again because an earlier release rejected rows of them or refused them.
    """
    if not (pending := list(pending)):
        return []
    recorded = ledger.recorded_stats()
    changed, gone, rejected_before = Counter[str](), Counter[str](), Counter[Log]()
    for file in pending:
        before = recorded.get((file.log, file.source_file))
        if before is None:
            continue
        if file.source and before.mapping and before.mapping != file.mapping_fingerprint:
            (changed if file.source.mapping else gone)[f"{file.source.name}: {file.log}"] += 1
        elif before.has_old_rejections:
            rejected_before[file.log] += 1
    return [
        *(
            f"the mapping of {name} has changed: {_files(count)} loaded again"
            for name, count in sorted(changed.items())
        ),
        *(
            f"{name} is mapped no more: the rows of {counted(count, 'file')} are removed"
            for name, count in sorted(gone.items())
        ),
        *(
            f"{log}: {_files(count)} loaded again, because an earlier release rejected rows that may be valid now"
            for log, count in rejected_before.items()
        ),
    ]


def _files(count: int) -> str:
    return f"{counted(count, 'file')} {'is' if count == 1 else 'are'}"
