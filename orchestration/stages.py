"""The stages of a refresh, each as one function: what Dagster's assets and the command line both call.

Here `quality` and `warehouse` meet. No Dagster here: the command line must start quickly, and tests run without it.
"""

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby

import duckdb

from models.checks import CheckResult
from models.vocabulary import Log
from quality import gate
from quality.admission import judge
from warehouse import build, exports, lake, landing, publication
from warehouse.build import BuiltNode
from warehouse.dbt import BuildFailed
from warehouse.landing import LandingFile, LandingZone
from warehouse.ledger import Build, Ledger, LoadedFile
from warehouse.loading import load
from warehouse.paths import DataPaths
from warehouse.settings import Settings

log = logging.getLogger("sendmart")


@dataclass(frozen=True)
class Warehouse:
    """A data folder under its settings: what every stage works on."""

    settings: Settings
    paths: DataPaths
    ledger: Ledger

    @classmethod
    def of(cls, settings: Settings) -> "Warehouse":
        paths = DataPaths(settings.data)
        return cls(settings, paths, Ledger(paths.ledger))

    def scan_landing(self) -> LandingZone:
        return landing.scan(self.settings.landing)


@dataclass(frozen=True)
class Work:
    """What a refresh has to do."""

    files: dict[Log, list[LandingFile]] = field(default_factory=dict)
    must_build: bool = False
    must_publish: bool = False
    must_export: bool = False

    @property
    def is_nothing(self) -> bool:
        return not (any(self.files.values()) or self.must_build or self.must_publish or self.must_export)


def find_work(warehouse: Warehouse, *, verify: bool = False, full_refresh: bool = False) -> Work:
    """Looks at landing zone, candidate, publication and exports, and changes none of them."""
    zone = warehouse.scan_landing()
    files = {log: warehouse.ledger.untaken(zone.of(log), verify=verify) for log in Log}
    must_build = full_refresh or any(files.values()) or not is_built(warehouse)
    candidate = warehouse.ledger.candidate()
    must_publish = must_build or candidate is None or not is_published(warehouse, candidate)
    must_export = must_publish or bool(unexported(warehouse))
    return Work(files, must_build, must_publish, must_export)


# --- admission


def load_changed(
    warehouse: Warehouse, log_name: Log, *, dates: Iterable[date] | None = None, verify: bool = False
) -> list[LoadedFile]:
    """Takes what is new or changed of one log: on whatever dates, or, reloading it in any case, on the dates given."""
    with warehouse.paths.writer():
        started = time.perf_counter()
        lake.ensure_lake(warehouse.paths)
        files = warehouse.scan_landing().of(log_name)
        if dates is None:
            files = warehouse.ledger.untaken(files, verify=verify)
        else:
            wanted = set(dates)
            files = [file for file in files if file.log_date in wanted]
        loaded = load(warehouse.paths, warehouse.ledger, files, judge)
        # Every load opens changes, and one that was killed before this line has left them open.
        is_changed = any(change.log == log_name for change in warehouse.ledger.open_changes())
        if is_changed or not warehouse.paths.published_quarantine.exists():
            publish_quarantine(warehouse)
        accepted, rejected = sum(file.accepted for file in loaded), sum(file.rejected for file in loaded)
        refused = sum(file.refusal is not None for file in loaded)
        log.info(
            "%s: %d files, %d rows accepted, %d quarantined, %d files refused in %.1f s",
            log_name, len(loaded), accepted, rejected, refused, time.perf_counter() - started,
        )  # fmt: skip
        for file in loaded:
            if file.refusal:
                log.warning("%s/%s refused: %s", file.log, file.source_file, file.refusal)
            if file.unknown_columns:
                unknown = ", ".join(file.unknown_columns)
                log.info("%s/%s: unknown columns ignored: %s", file.log, file.source_file, unknown)
        return loaded


def publish_quarantine(warehouse: Warehouse) -> None:
    """Shows what is in quarantine to those who look at `published/quarantine.duckdb`."""
    refused = [
        {"log": file.log, "log_date": file.log_date, "source_file": file.source_file, "reason": file.refusal}
        for file in warehouse.ledger.files()
        if file.refusal
    ]
    lake.publish_quarantine(warehouse.paths, refused)


def by_date(loaded: Iterable[LoadedFile]) -> dict[date, list[LoadedFile]]:
    ordered = sorted(loaded, key=lambda file: file.log_date)
    return {day: list(files) for day, files in groupby(ordered, key=lambda file: file.log_date)}


# --- build and audit


def is_built(warehouse: Warehouse) -> bool:
    """Whether the candidate at hand is what a build would give now."""
    return build.is_current(warehouse.settings, warehouse.paths, warehouse.ledger)


def build_candidate(warehouse: Warehouse, *, full_refresh: bool = False) -> tuple[Build, list[BuiltNode]]:
    """Brings the candidate's marts up to date with the lake; with `full_refresh`, computes all of them anew.

    Raises:
        BuildFailed: a model could not be built.
    """
    with warehouse.paths.writer():
        started = time.perf_counter()
        lake.ensure_lake(warehouse.paths)
        candidate, nodes = build.run_models(
            warehouse.settings, warehouse.paths, warehouse.ledger, full_refresh=full_refresh
        )
        log.info("build %s: %d models in %.1f s", candidate.build_id, len(nodes), time.perf_counter() - started)
        marts = build.built_marts(warehouse.paths)
        log.info("rows: %s", ", ".join(f"{name} {mart.rows:,}" for name, mart in marts.items()))
        return candidate, nodes


def test_candidate(warehouse: Warehouse) -> dict[str, CheckResult]:
    """Runs the dbt tests on the candidate and records what they say; by the tests' unique ids."""
    with warehouse.paths.writer():
        started = time.perf_counter()
        results = build.run_tests(warehouse.settings, warehouse.paths)
        _record(warehouse, results.values())
        _tell("dbt tests", results.values(), started)
        return results


def audit_candidate(warehouse: Warehouse) -> list[CheckResult]:
    """Holds the candidate to the mart contracts and the expectations and records what they say."""
    from quality.audit.contracts import check_contracts
    from quality.audit.expectations import check_expectations

    with warehouse.paths.writer(), duckdb.connect() as connection:
        connection.execute(f"set memory_limit = '{warehouse.settings.memory_limit}'")
        connection.execute("set temp_directory = $scratch", {"scratch": str(warehouse.paths.scratch)})
        build.attach_candidate(connection, warehouse.paths)
        results = []
        for name, check in (("contracts", check_contracts), ("expectations", check_expectations)):
            started = time.perf_counter()
            of_kind = check(connection, build.CANDIDATE_SCHEMA)
            _tell(name, of_kind, started)
            results += of_kind
        _record(warehouse, results)
        return results


def _record(warehouse: Warehouse, results: Iterable[CheckResult]) -> None:
    candidate = warehouse.ledger.candidate()
    if candidate is None:
        raise BuildFailed("there is no whole candidate to check; refresh again")
    warehouse.ledger.record_checks(candidate.build_id, results)


def _tell(kind: str, results: Iterable[CheckResult], started: float) -> None:
    results = list(results)
    failed = [result for result in results if not result.passed]
    log.info(
        "%s: %d of %d hold in %.1f s", kind, len(results) - len(failed), len(results), time.perf_counter() - started
    )
    for result in failed:
        level = logging.ERROR if result.is_blocking else logging.WARNING
        log.log(level, "%s %s: %s", "failed" if result.is_blocking else "warning", result.name, result.detail)


# --- publication and exports


def decide(warehouse: Warehouse) -> gate.Verdict:
    """Whether the candidate may be published, from what was recorded of it and of the files in the lake."""
    from quality.audit import expected_checks

    candidate = warehouse.ledger.candidate()
    recorded = warehouse.ledger.checks(candidate.build_id) if candidate else []
    return gate.decide(
        expected_checks() | build.expected_tests(warehouse.paths),
        recorded,
        warehouse.ledger.files(),
        warehouse.settings.max_rejected_share,
        warehouse.settings.min_rejected_rows,
    )


def is_published(warehouse: Warehouse, candidate: Build) -> bool:
    return publication.is_published(warehouse.paths, warehouse.ledger, candidate)


def publish(warehouse: Warehouse, candidate: Build) -> datetime:
    """Publishes the candidate in one step."""
    with warehouse.paths.writer():
        started = time.perf_counter()
        published_at = publication.publish(warehouse.settings, warehouse.paths, warehouse.ledger, candidate)
        log.info("published build %s in %.1f s", candidate.build_id, time.perf_counter() - started)
        return published_at


def unexported(warehouse: Warehouse) -> list[str]:
    """The reports that have not been exported from the published build yet."""
    last = warehouse.ledger.last_publication()
    if last is None:
        return []
    exported = warehouse.ledger.exported_reports(last[0])
    return [report for report in exports.REPORTS if report not in exported]


def export(warehouse: Warehouse, reports: Iterable[str]) -> list[exports.Export]:
    """Writes reports of the published build as CSV.

    Raises:
        NothingPublished: there is no published build yet.
    """
    with warehouse.paths.writer():
        started = time.perf_counter()
        written = exports.export(warehouse.settings, warehouse.paths, warehouse.ledger, reports)
        for told in written:
            log.info("exported %s: %d rows", told.file, told.rows)
        log.info("exports: %d written in %.1f s", len(written), time.perf_counter() - started)
        return written


def prune_exports(warehouse: Warehouse) -> list[str]:
    """Deletes exports older than the retention."""
    with warehouse.paths.writer():
        deleted = exports.prune(warehouse.paths, warehouse.settings.export_retention_days)
        log.info("pruned %d export files older than %d days", len(deleted), warehouse.settings.export_retention_days)
        return deleted
