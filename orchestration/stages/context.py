"""The context of a stage: settings, data paths and ledger of one data folder."""

from dataclasses import dataclass

from models.masking import masking_logger
from warehouse.config import file_modes
from warehouse.config.paths import DataPaths
from warehouse.config.settings import Settings
from warehouse.landing import scan as landing_scan
from warehouse.landing.scan import LandingZone
from warehouse.ledger import Ledger

log = masking_logger("sendmart")


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 row`, `2,000 rows`."""
    return f"{number:,} {noun}" + "s" * (number != 1)


@dataclass(frozen=True)
class AppContext:
    """A data folder and its settings: what every stage works on."""

    settings: Settings
    paths: DataPaths
    ledger: Ledger

    @classmethod
    def of(cls, settings: Settings) -> "AppContext":
        file_modes.apply_umask(settings)
        paths = DataPaths.of(settings)
        return cls(settings, paths, Ledger(paths.ledger, paths.find_data))

    def scan_landing(self) -> LandingZone:
        return landing_scan.scan(self.settings.landing, follows_links=self.settings.follow_links)
