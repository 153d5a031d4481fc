"""A ledger that is lost, damaged or restored from an old backup: an erased contact never comes back, or the refresh refuses."""

import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from models.enums import Log
from models.error_codes import Code
from orchestration import stages
from orchestration.errors import failure_of
from orchestration.stages import AppContext
from tests.contact_search import CONTACT, copy_warehouse, files_with_contact
from tests.running import RefreshedWarehouse, environment_of, sendmart
from warehouse.ledger import LedgerDamaged
from warehouse.privacy import KeyMissing


@pytest.fixture(scope="module")
def erased(refreshed_wide: RefreshedWarehouse, tmp_path_factory: pytest.TempPathFactory) -> AppContext:
    """The wide case after an erasure; `ledger.before` is the ledger from before it. The landing zone still has the contact."""
    context = copy_warehouse(refreshed_wide, tmp_path_factory.mktemp("ledger"))
    shutil.copy(context.paths.ledger, context.paths.data.parent / "ledger.before")
    stages.erase_contact(context, CONTACT, "request 7")
    assert files_with_contact(context.paths.data) == set()
    return context


@pytest.fixture
def context(erased: AppContext, tmp_path: Path) -> AppContext:
    """A copy of the erased warehouse for one test."""
    folder = tmp_path / "warehouse"
    shutil.copytree(erased.paths.data.parent, folder)
    changed = {name: folder / getattr(erased.settings, name).name for name in ("data", "landing")}
    return AppContext.of(erased.settings.model_copy(update=changed))


def _load_everything(context: AppContext) -> None:
    """The steps of a refresh that may bring rows back: all files of the landing zone are loaded again."""
    stages.check_ledger(context)
    stages.finish_erasures(context)
    for log in Log:
        dates = {file.log_date for file in context.scan_landing().files_of(log)}
        stages.load_changed(context, log, dates=dates)


def _remove(ledger: Path) -> None:
    ledger.unlink()


def _empty(ledger: Path) -> None:
    ledger.write_bytes(b"")


def _truncate(ledger: Path) -> None:
    ledger.write_bytes(ledger.read_bytes()[: ledger.stat().st_size // 2])


def _delete_tombstones(ledger: Path) -> None:
    with sqlite3.connect(ledger) as connection:
        connection.executescript("delete from erased; delete from erasures; delete from hash_key")


def _restore_older(ledger: Path) -> None:
    shutil.copy(ledger.parent.parent / "ledger.before", ledger)


@pytest.mark.parametrize("damage", [_remove, _empty, _truncate])
def test_a_lost_or_truncated_ledger_is_refused(context: AppContext, damage: Callable[[Path], None]) -> None:
    damage(context.paths.ledger)
    with pytest.raises(LedgerDamaged) as raised:
        _load_everything(context)
    assert failure_of(raised.value, context).code is Code.LEDGER_UNUSABLE
    assert files_with_contact(context.paths.data) == set()


@pytest.mark.parametrize("damage", [_remove, _empty])
def test_a_new_ledger_keeps_the_erasure(context: AppContext, damage: Callable[[Path], None]) -> None:
    before = {(tombstone.kind, tombstone.hash, tombstone.token) for tombstone in context.ledger.erased()}
    damage(context.paths.ledger)
    context.ledger.create()
    _load_everything(context)
    assert files_with_contact(context.paths.data) == set()
    assert {(tombstone.kind, tombstone.hash, tombstone.token) for tombstone in context.ledger.erased()} == before


@pytest.mark.parametrize("damage", [_restore_older, _delete_tombstones])
def test_an_older_ledger_gets_its_tombstones_back(context: AppContext, damage: Callable[[Path], None]) -> None:
    damage(context.paths.ledger)
    stages.check_ledger(context)
    assert context.ledger.is_erasing(), "the contact is erased from restored files, too"
    _load_everything(context)
    assert files_with_contact(context.paths.data) == set()
    assert not context.ledger.is_erasing()


def test_an_erasure_with_an_older_ledger_keeps_the_tombstones_of_the_copy(context: AppContext) -> None:
    _restore_older(context.paths.ledger)
    stages.erase_contact(context, "another contact", "request 8")
    assert {tombstone.kind for tombstone in context.ledger.erased()} == {"contact", "number"}
    _load_everything(context)
    assert files_with_contact(context.paths.data) == set()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[1]",
        b"\xff",
        pytest.param(b"[" * 200_000, id="deeply nested"),
        b'{"key": null, "erased": [], "sha256": "0"}',
    ],
)
def test_a_damaged_copy_is_written_again_or_refused(context: AppContext, content: bytes) -> None:
    original = context.paths.tombstone_copy.read_bytes()
    context.paths.tombstone_copy.write_bytes(content)
    stages.check_ledger(context)
    assert context.paths.tombstone_copy.read_bytes() == original
    context.paths.tombstone_copy.write_bytes(content)
    _delete_tombstones(context.paths.ledger)
    with pytest.raises(LedgerDamaged, match="restore one of the two"):
        stages.check_ledger(context)


def test_a_pipe_in_place_of_the_copy_or_the_key_does_not_block(context: AppContext) -> None:
    original = context.paths.tombstone_copy.read_bytes()
    context.paths.tombstone_copy.unlink()
    os.mkfifo(context.paths.tombstone_copy)
    stages.check_ledger(context)
    assert context.paths.tombstone_copy.read_bytes() == original
    context.paths.hash_key.unlink()
    os.mkfifo(context.paths.hash_key)
    with pytest.raises(KeyMissing, match="must hold 32 bytes"):
        stages.check_ledger(context)


def test_a_folder_of_an_earlier_release_gets_the_copy(context: AppContext) -> None:
    original = context.paths.tombstone_copy.read_bytes()
    context.paths.tombstone_copy.unlink()
    stages.check_ledger(context)
    assert context.paths.tombstone_copy.read_bytes() == original
    assert context.paths.tombstone_copy.stat().st_mode & 0o777 == 0o600


def test_a_missing_key_is_noticed_at_each_start(context: AppContext) -> None:
    context.paths.hash_key.unlink()
    with pytest.raises(KeyMissing, match="restore it from a backup"):
        stages.check_ledger(context)
    variables = environment_of(context.settings.data, context.settings.landing)
    for command in (("refresh",), ("refresh", "--dry-run"), ("status",)):
        run = sendmart(variables, *command)
        assert f"{Code.HASH_KEY_MISSING}: " in run.stdout + run.stderr, command


@pytest.mark.parametrize("count", [8, pytest.param(150, marks=pytest.mark.torture)])
def test_a_fuzzed_ledger_is_refused_or_keeps_the_erasure(context: AppContext, count: int) -> None:
    original, chosen = context.paths.ledger.read_bytes(), random.Random(16)
    refused = 0
    for _ in range(count):
        content = bytearray(original)
        for position in chosen.sample(range(len(content)), 200):
            content[position] ^= chosen.randrange(1, 256)
        context.paths.ledger.write_bytes(content)
        try:
            stages.check_ledger(context)
            stages.finish_erasures(context)
            stages.load_changed(context, Log.SENDS)
            stages.plan_refresh(context)
            stages.evaluate_gate(context)
        except Exception as error:
            assert failure_of(error, context).code in (
                Code.LEDGER_UNUSABLE,
                Code.LEDGER_NEWER,
                Code.HASH_KEY_MISSING,
            ), error
            refused += 1
        assert files_with_contact(context.paths.data) == set()
    assert refused, "some damage is noticed"
