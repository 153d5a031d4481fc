"""The landing zone of the faults, once for each module: as it was published, and as a refresh of all of it would give."""

from collections.abc import Iterator

import pytest

from tests.fault.killing import refresh
from tests.fault.zones import Outcome, Zone, outcome
from tests.running import environment, environment_of


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zone]:
    zone = Zone(tmp_path_factory.mktemp("killed"))
    with environment(environment_of(zone.data, zone.landing)):
        yield zone


@pytest.fixture(scope="module")
def final(zone: Zone) -> Outcome:
    """The outcome of one refresh of all files."""
    zone.drop(zone.first)
    zone.drop_altered()
    refresh(zone.warehouse())
    return outcome(zone.warehouse())


@pytest.fixture(scope="module")
def published(zone: Zone, final: Outcome) -> Outcome:
    """The outcome of a refresh of the first files. The data folder is kept under the name `published`."""
    zone.clear()
    zone.drop(zone.first)
    refresh(zone.warehouse())
    first = outcome(zone.warehouse())
    assert [part for part in first if first[part] == final[part]] == [], "the altered files change every part"
    zone.keep("published")
    return first
