"""The context of a stage: settings, data paths and ledger of one data folder."""

from dataclasses import dataclass, replace
from functools import cached_property

from models.enums import Log
from models.masking import masking_logger
from models.source_mapping import Source
from orchestration.stages.sources import check_claims, check_sources, withdrawn_files
from warehouse.config import file_modes
from warehouse.config.paths import DataPaths
from warehouse.config.settings import Settings
from warehouse.ingest.sources import load_sources
from warehouse.lake import tables
from warehouse.landing import scan as landing_scan
from warehouse.landing.presence import check_presence
from warehouse.landing.scan import LandingZone
from warehouse.ledger import Ledger

log = masking_logger("sendmart")


@dataclass(frozen=True)
class AppContext:
    """A data folder and its settings: what every stage works on."""

    settings: Settings
    paths: DataPaths
    ledger: Ledger
    may_lose_sources: bool = False
    """Whether files lose their rows though no mapping of one's own is left (`sendmart refresh --without-sources`)."""

    @classmethod
    def of(cls, settings: Settings) -> "AppContext":
        file_modes.apply_umask(settings)
        paths = DataPaths.of(settings)
        return cls(settings, paths, Ledger(paths.ledger, paths.find_data))

    def has_files(self) -> bool:
        """Whether a log file was ever loaded or refused. A ledger that was lost does not know, but the lake does."""
        lake = self.paths.lake
        in_lake = (file for log in Log for file in tables.files(lake, log) if file != tables.empty_file(lake, log))
        return bool(self.ledger.files()) or any(in_lake)

    def open_landing(self) -> LandingZone:
        """Scans the landing zone to load from it. Raises LandingZoneMissing if it is not there, MappingInvalid if two
        sources read a file, SourcesMissing if the folder of own mappings seems to be lost.
        """
        zone = self.scan_landing()
        check_claims(zone)
        if not self.may_lose_sources and any(file.source and not file.source.mapping for file in zone.files):
            check_sources(self.settings, zone, self.sources)
        if not zone.files:
            folders = {mapping.folder for mapping in zone.mappings}
            folders |= {file.path_in_landing.partition("/")[0] for file in self.ledger.files() if file.source}
            check_presence(self.settings.landing, has_loaded_files=self.has_files(), folders_of_sources=folders)
        return zone

    def scan_landing(self) -> LandingZone:
        """Scans the landing zone. One that does not exist counts as empty."""
        settings = self.settings
        # Most landing zones hold files of few sources, and reading all mappings takes as long as the scan.
        begins = landing_scan.beginnings(settings.landing)
        sources = load_sources(settings.sources, has_files=begins) if begins else self.sources
        zone = landing_scan.scan(settings.landing, follows_links=settings.follow_links, sources=sources.values())
        withdrawn = withdrawn_files(settings, zone, self.ledger.mapped_files())
        return replace(zone, files=(*withdrawn, *zone.files))

    @cached_property
    def sources(self) -> dict[str, Source]:
        """The sources by name. Raises MappingInvalid if a mapping file is invalid."""
        return load_sources(self.settings.sources)
