"""The cluster that all tests of Spark share."""

from collections.abc import Iterator

import pytest

from tests.spark.cluster import Cluster, cluster


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster that answers."""
    with cluster(tmp_path_factory.mktemp("spark")) as running:
        yield running
