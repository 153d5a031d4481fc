"""The landing zone of the faults, once for each process of the suite: as it was published, and as a refresh of all of it
would give.
"""

from collections.abc import Iterator

import pytest

from tests.fault.killing import refresh
from tests.fault.zones import Outcome, Zone, outcome
from tests.running import environment, environment_of


@pytest.fixture(scope="session")
def _zone(tmp_path_factory: pytest.TempPathFactory) -> Zone:
    return Zone(tmp_path_factory.mktemp("faults"))


@pytest.fixture(scope="session")
def final(_zone: Zone) -> Outcome:
    """The outcome of one refresh of all files."""
    with environment(environment_of(_zone.data, _zone.landing)):
        _zone.drop(_zone.first)
        _zone.drop_altered()
        refresh(_zone.warehouse())
        return outcome(_zone.warehouse())


@pytest.fixture(scope="session")
def published(_zone: Zone, final: Outcome) -> Outcome:
    """The outcome of a refresh of the first files. The data folder is kept under the name `published`."""
    with environment(environment_of(_zone.data, _zone.landing)):
        _zone.clear()
        _zone.drop(_zone.first)
        refresh(_zone.warehouse())
        first = outcome(_zone.warehouse())
    assert [part for part in first if first[part] == final[part]] == [], "the altered files change every part"
    _zone.keep("published")
    return first


@pytest.fixture(scope="module")
def zone(_zone: Zone) -> Iterator[Zone]:
    """The zone, with the settings of its warehouse in the environment."""
    with environment(environment_of(_zone.data, _zone.landing)):
        yield _zone
