"""Loading: in whatever order and in however many goes files come, the lake holds the same rows, once."""

import shutil
import tempfile
from pathlib import Path

import duckdb
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from models.vocabulary import Log
from quality.admission import judge
from tests.examples import tried
from tests.oracle.landing_zones import write_landing_zone
from warehouse import lake
from warehouse.landing import scan
from warehouse.ledger import Ledger
from warehouse.loading import load
from warehouse.paths import DataPaths

FEW = tried(12, suppress_health_check=list(HealthCheck))


def _take(landing: Path, paths: DataPaths, batch_rows: int) -> int:
    """Takes what is new or changed, as a refresh does; gives how many files that were."""
    ledger = Ledger(paths.ledger)
    lake.ensure_lake(paths)
    zone = scan(landing)
    taken = [load(paths, ledger, ledger.untaken(zone.of(log)), judge, batch_rows) for log in Log]
    return sum(len(files) for files in taken)


def _contents(root: Path) -> dict[Log, list[tuple]]:
    return {
        log: duckdb.sql(
            f"from read_parquet('{root}/{log}/*/*.parquet', hive_partitioning = true, union_by_name = true) order by all"
        ).fetchall()
        for log in Log
        if list(root.glob(f"{log}/*/*.parquet"))
    }


@FEW
@given(data=st.data(), seed=st.integers(1, 50), batch_rows=st.sampled_from([1, 7, 100, 10_000]))
def test_any_order_in_any_number_of_goes_gives_the_same_lake(data: st.DataObject, seed: int, batch_rows: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_landing_zone(folder / "all", seed, stories=5, refused=True, fault_share=0.05)
        at_once, bit_by_bit = DataPaths(folder / "at-once"), DataPaths(folder / "bit-by-bit")
        _take(folder / "all", at_once, batch_rows=100_000)

        files = sorted(file for file in (folder / "all").rglob("*") if file.is_file())
        shuffled = data.draw(st.permutations(files))
        goes = data.draw(st.integers(1, 4))
        for go in range(goes):
            for file in shuffled[go::goes]:
                place = folder / "dropped" / file.relative_to(folder / "all")
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, place)
            _take(folder / "dropped", bit_by_bit, batch_rows)

        assert _contents(bit_by_bit.lake) == _contents(at_once.lake)
        assert _contents(bit_by_bit.quarantine) == _contents(at_once.quarantine)
        assert Ledger(bit_by_bit.ledger).files_fingerprint() == Ledger(at_once.ledger).files_fingerprint()


@FEW
@given(seed=st.integers(1, 50))
def test_twice_is_once(seed: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_landing_zone(folder / "landing", seed, stories=5, refused=True, fault_share=0.05)
        paths = DataPaths(folder / "data")
        assert _take(folder / "landing", paths, batch_rows=100) > 0
        before = _contents(paths.lake)
        assert _take(folder / "landing", paths, batch_rows=100) == 0
        assert _contents(paths.lake) == before
