"""Data folders that share a key file: a contact that is erased in one of them is erased in the others, too."""

import secrets
from pathlib import Path

import pytest

from models.enums import Log
from orchestration import stages
from orchestration.stages import AppContext
from tests.contact_search import CONTACT, copy_warehouse, files_with_contact
from tests.running import RefreshedWarehouse
from warehouse.privacy import KeyMissing, save_tombstone_copy
from warehouse.privacy.keyed_hash import KEY_BYTES


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "sendmart.key"


@pytest.fixture
def folders(refreshed_wide: RefreshedWarehouse, tmp_path: Path, key_file: Path) -> tuple[AppContext, AppContext]:
    """Two copies of the wide case that share the key file."""
    first, second = (copy_warehouse(refreshed_wide, tmp_path / name) for name in ("first", "second"))
    return _with_settings(first, hash_key_file=key_file), _with_settings(second, hash_key_file=key_file)


def _with_settings(context: AppContext, **changed: Path) -> AppContext:
    return AppContext.of(context.settings.model_copy(update=changed))


def _tombstones(context: AppContext) -> set[str]:
    return {tombstone.hash for tombstone in context.ledger.erased()}


def _begin_refresh(context: AppContext) -> None:
    stages.check_ledger(context)
    stages.finish_erasures(context)


def test_a_contact_erased_in_one_data_folder_is_erased_in_the_other(folders: tuple[AppContext, AppContext]) -> None:
    first, second = folders
    stages.erase_contact(first, CONTACT, "request 7")
    assert files_with_contact(second.paths.data) != set()
    stages.erase_contact(second, "another contact", "request 8")
    assert files_with_contact(second.paths.data) == set()
    _begin_refresh(first)
    assert _tombstones(first) == _tombstones(second)
    assert not first.ledger.is_erasing()


def test_an_erasure_keeps_what_another_data_folder_has_recorded_meanwhile(
    folders: tuple[AppContext, AppContext],
) -> None:
    first, second = folders
    _begin_refresh(second)
    stages.erase_contact(first, CONTACT, "request 7")
    save_tombstone_copy(second.paths, second.ledger)  # what a load or an erasure that has begun before does
    first.paths.ledger.unlink()
    first.ledger.create()
    _begin_refresh(first)
    assert files_with_contact(first.paths.data) == set()
    assert _tombstones(first) != set()


def test_a_new_data_folder_with_the_key_of_another_one_starts(
    folders: tuple[AppContext, AppContext], tmp_path: Path
) -> None:
    first, _ = folders
    stages.erase_contact(first, CONTACT, "request 7")
    new = _with_settings(first, data=tmp_path / "new")
    _begin_refresh(new)
    for log in Log:
        stages.load_changed(new, log)
    assert list(new.paths.data.glob("lake/*/*/*.parquet")) != []
    assert files_with_contact(new.paths.data) == set()


def test_the_key_of_another_data_folder_is_refused_and_nothing_is_recorded(
    folders: tuple[AppContext, AppContext], key_file: Path
) -> None:
    first, second = folders
    stages.erase_contact(first, CONTACT, "request 7")
    key_of_second = key_file.with_name("second.key")
    key_of_second.write_text(secrets.token_hex(KEY_BYTES))
    stages.erase_contact(_with_settings(second, hash_key_file=key_of_second), "another contact", "request 8")
    copy, recorded = first.paths.tombstone_copy.read_bytes(), _tombstones(second)
    with pytest.raises(KeyMissing, match="SENDMART_HASH_KEY_FILE"):
        stages.check_ledger(second)
    assert (first.paths.tombstone_copy.read_bytes(), _tombstones(second)) == (copy, recorded)
