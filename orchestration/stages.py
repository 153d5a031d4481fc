"""The stages of a refresh, each as one function: what Dagster's assets and the command line both call.

Here `quality` and `warehouse` meet. No Dagster here: the command line must start quickly, and tests run without it.
"""

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from models.checks import CheckResult
from models.masking import masking_errors, masking_logger
from models.vocabulary import Log
from quality import gate
from quality.admission import judge
from quality.audit import expected_checks
from quality.audit.figures import BuildFacts, LogFacts
from quality.audit.page import AuditedBuild, audit_page
from warehouse import (
    audit_pages,
    build,
    checked,
    comparison,
    current,
    exports,
    integrity,
    lake,
    landing,
    lateness,
    leftovers,
    privacy,
    publication,
)
from warehouse.build import BuiltNode, CandidateDamaged
from warehouse.comparison import Gist
from warehouse.dbt import BuildFailed, dbt_manifest
from warehouse.duckdb_files import fault_of, says_damaged
from warehouse.erasure.places import come_from, erase_everywhere
from warehouse.erasure.remembered import CONTACT, Remembered, contact_token, remembered
from warehouse.exports import FileFormat
from warehouse.integrity import DamagedFile, LakeDamaged
from warehouse.keyed_hash import keyed_hash
from warehouse.landing import LandingFile, LandingZone
from warehouse.ledger import Build, Ledger, LoadedFile, Override, now
from warehouse.limits import keep_within_limits
from warehouse.loading import load
from warehouse.paths import DataPaths
from warehouse.settings import Settings

if TYPE_CHECKING:
    from quality.audit.expectations import Findings

log = masking_logger("sendmart")


@dataclass(frozen=True)
class Warehouse:
    """A data folder under its settings: what every stage works on."""

    settings: Settings
    paths: DataPaths
    ledger: Ledger

    @classmethod
    def of(cls, settings: Settings) -> "Warehouse":
        privacy.write_for(settings)
        paths = DataPaths.of(settings)
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
    is_damaged = bool(integrity.damaged(warehouse.paths, warehouse.ledger, contents=verify))
    must_build = full_refresh or any(files.values()) or is_damaged or not is_built(warehouse)
    candidate = warehouse.ledger.candidate()
    must_publish = must_build or candidate is None or not is_published(warehouse, candidate)
    must_export = must_publish or bool(unexported(warehouse))
    return Work(files, must_build, must_publish, must_export)


def missing_days(warehouse: Warehouse) -> lateness.Days:
    """By log, the days that are due and of which there is no file, neither in the landing zone nor taken before."""
    settings = warehouse.settings
    files = [*warehouse.ledger.files(), *warehouse.scan_landing().files]
    return lateness.missing(files, settings.logs_expected_daily, lateness.last_due(now(), settings.logs_due_hours))


def late_days(warehouse: Warehouse) -> lateness.Days:
    """Of the missing days, those that are still waited for."""
    return lateness.late(missing_days(warehouse), now())


@dataclass(frozen=True)
class Erasure:
    """What came of an erasure: files rewritten, by place; and files of the landing zone that hold what was erased."""

    rewritten: dict[str, int]
    still_in_landing: list[str]


# --- admission


@masking_errors
def load_changed(
    warehouse: Warehouse,
    log_name: Log,
    *,
    dates: Iterable[date] | None = None,
    only_on: Iterable[date] | None = None,
    verify: bool = False,
) -> list[LoadedFile]:
    """Takes what is new or changed of one log: on whatever dates, or `only_on` some; or reloads `dates` in any case.

    What is damaged in the lake is taken again, too; with `verify`, checksums are looked at, and not only sizes.

    Raises:
        LakeDamaged: and what was damaged is not in the landing zone any more. Everything else was taken.
    """
    with warehouse.paths.writer():
        started = time.perf_counter()
        privacy.tighten(warehouse.settings, warehouse.paths)
        lake.ensure_lake(warehouse.paths)
        in_landing = warehouse.scan_landing().of(log_name)
        leftovers.clear(warehouse.paths, warehouse.ledger, log_name, in_landing)
        damaged = integrity.damaged(warehouse.paths, warehouse.ledger, log_name, contents=verify)
        wanted = only_on if dates is None else dates
        days = None if wanted is None else set(wanted)
        files = [file for file in in_landing if days is None or file.log_date in days]
        if dates is None:
            files = warehouse.ledger.untaken(files, verify=verify)
        files, lost = _with_damaged(warehouse, files, damaged, in_landing)
        erased = remembered(warehouse.settings, warehouse.paths, warehouse.ledger)
        loaded = load(
            warehouse.paths, warehouse.ledger, files, judge, erased=erased, loaders=warehouse.settings.loaders
        )
        if verify:
            integrity.note_unknown(warehouse.paths, warehouse.ledger, log_name)
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
        finish_erasures(warehouse)
        if lost:
            raise LakeDamaged(lost)
        return loaded


def _with_damaged(
    warehouse: Warehouse, files: list[LandingFile], damaged: list[DamagedFile], in_landing: list[LandingFile]
) -> tuple[list[LandingFile], list[DamagedFile]]:
    """The files to be taken, with those whose rows in the lake are damaged; and what is damaged and in no log file."""
    there = {file.source_file: file for file in in_landing}
    again = [file for file in damaged if file.source_file in there]
    integrity.take_away(warehouse.paths, warehouse.ledger, again)
    to_be_taken = sorted({*files, *(there[file.source_file] for file in again)})
    return to_be_taken, [file for file in damaged if file.source_file not in there]


def publish_quarantine(warehouse: Warehouse) -> None:
    """Shows what is in quarantine to those who look at `published/quarantine.duckdb`, where that is not what it holds."""
    masking = warehouse.settings.mask_numbers
    fingerprint = warehouse.ledger.quarantine_fingerprint() + (" masked" if masking else "")
    published = warehouse.paths.published_quarantine
    if published.exists() and warehouse.ledger.published_quarantine() == fingerprint and not fault_of(published):
        return
    refused = [
        {"log": file.log, "log_date": file.log_date, "source_file": file.source_file, "reason": file.refusal}
        for file in warehouse.ledger.files()
        if file.refusal
    ]
    lake.publish_quarantine(warehouse.paths, refused, mask_numbers=masking)
    current.send(warehouse.paths, published)
    warehouse.ledger.note_published_quarantine(fingerprint)


def bytes_of(warehouse: Warehouse, log_name: Log, loaded: Iterable[LoadedFile]) -> dict[str, tuple[int, int]]:
    """By log file: its bytes as it was dropped, and those that the lake holds of it."""
    names = {file.source_file: Path("lake") / lake.place(Path(), file) for file in loaded}
    return warehouse.ledger.sizes(log_name, names)


def by_date(loaded: Iterable[LoadedFile]) -> dict[date, list[LoadedFile]]:
    ordered = sorted(loaded, key=lambda file: file.log_date)
    return {day: list(files) for day, files in groupby(ordered, key=lambda file: file.log_date)}


# --- erasure


@masking_errors
def erase(warehouse: Warehouse, contact_id: str, reason: str) -> Erasure | None:
    """Puts tokens in place of a contact and its numbers, wherever they stand; None where that was done before.

    It is remembered by a keyed hash: rows that come later are read the same way.

    Raises:
        KeyMissing: the key of the keyed hashes is gone.
    """
    with warehouse.paths.writer():
        lake.ensure_lake(warehouse.paths)
        hashes = keyed_hash(warehouse.settings, warehouse.paths, warehouse.ledger)
        if Remembered(hashes, warehouse.ledger.erased()).tokens(CONTACT, [contact_id]):
            return finish_erasures(warehouse)
        warehouse.ledger.note_erasure(reason, hashes.of(contact_id), contact_token())
        return finish_erasures(warehouse)


def finish_erasures(warehouse: Warehouse) -> Erasure | None:
    """Carries on what was begun to be erased, here or by a process that was killed; None where nothing was."""
    if not warehouse.ledger.is_erasing():
        return None
    with warehouse.paths.writer():
        started = time.perf_counter()
        erased = remembered(warehouse.settings, warehouse.paths, warehouse.ledger)
        rewritten = erase_everywhere(warehouse.settings, warehouse.paths, warehouse.ledger, erased)
        warehouse.ledger.note_published_quarantine("")
        publish_quarantine(warehouse)
        publication.send_erased(warehouse.paths)
        from_files = come_from(warehouse.paths, warehouse.ledger)
        warehouse.ledger.note_erasures_finished()
        log.info("erased in %.1f s: files rewritten: %s", time.perf_counter() - started, rewritten)
        lying = {f"{file.log}/{file.source_file}" for file in warehouse.scan_landing().files}
        return Erasure(rewritten, [name for name in from_files if name in lying])


# --- build and audit


def is_built(warehouse: Warehouse) -> bool:
    """Whether the candidate at hand is what a build would give now."""
    return build.is_current(warehouse.settings, warehouse.paths, warehouse.ledger)


@masking_errors
def build_candidate(warehouse: Warehouse, *, full_refresh: bool = False) -> tuple[Build, list[BuiltNode]]:
    """Brings the candidate's marts up to date with the lake; with `full_refresh`, computes all of them anew.

    Raises:
        BuildFailed: a model could not be built.
        LakeDamaged: a file of the lake is damaged, and what it held is not in the landing zone any more.
    """
    with warehouse.paths.writer():
        started = time.perf_counter()
        lake.ensure_lake(warehouse.paths)
        candidate, nodes = _run_models(warehouse, full_refresh=full_refresh)
        log.info("build %s: %d models in %.1f s", candidate.build_id, len(nodes), time.perf_counter() - started)
        marts = build.built_marts(warehouse.paths)
        log.info("rows: %s", ", ".join(f"{name} {mart.rows:,}" for name, mart in marts.items()))
        return candidate, nodes


def _run_models(warehouse: Warehouse, *, full_refresh: bool) -> tuple[Build, list[BuiltNode]]:
    """Builds; where a damaged file is found on the way, makes good what can be, and builds once more."""
    run = partial(build.run_models, warehouse.settings, warehouse.paths, warehouse.ledger)
    try:
        return run(full_refresh=full_refresh)
    except LakeDamaged as error:
        for of_log in {file.log for file in error.files}:
            load_changed(warehouse, of_log, verify=True)
        return run(full_refresh=full_refresh)
    except (CandidateDamaged, duckdb.Error) as error:
        if not says_damaged(str(error)):
            raise
        log.warning("%s: what is built is removed, and built in full from the lake", error)
        build.remove_candidate(warehouse.paths, warehouse.ledger)
        return run(full_refresh=True)


@contextmanager
def _reading_candidate(warehouse: Warehouse) -> Iterator[None]:
    """A candidate that is found damaged when it is read, after it was built, is removed: the next refresh builds anew."""
    try:
        yield
    except (CandidateDamaged, duckdb.Error) as error:
        if not says_damaged(str(error)):
            raise
        build.remove_candidate(warehouse.paths, warehouse.ledger)
        raise CandidateDamaged(str(error)) from error


@masking_errors
def test_candidate(warehouse: Warehouse) -> dict[str, CheckResult]:
    """Runs the dbt tests on the candidate and records what they say; by the tests' unique ids."""
    with warehouse.paths.writer(), _reading_candidate(warehouse):
        started = time.perf_counter()
        _choose_rows_to_check(warehouse)
        candidate = _candidate_to_check(warehouse)
        results = build.run_tests(warehouse.settings, warehouse.paths, candidate)
        _record(warehouse, results.values())
        _tell("dbt tests", results.values(), started)
        return results


def _choose_rows_to_check(warehouse: Warehouse) -> None:
    """All rows of the candidate, or, where the build that it went on from was held to every check, those it touched."""
    candidate = warehouse.ledger.candidate()
    went_on_from = warehouse.ledger.went_on_from(candidate.build_id) if candidate else None
    if went_on_from and gate.was_held_to_all(_expected_checks(warehouse), warehouse.ledger.checks(went_on_from)):
        manifest = dbt_manifest(warehouse.settings, warehouse.paths)
        rows = checked.put_aside(warehouse.paths, manifest)
        log.info("rows to check: the %d that the build touched; the others were checked in those before", rows)
    else:
        checked.forget(warehouse.paths)
        log.info("rows to check: all")


@masking_errors
def audit_candidate(warehouse: Warehouse) -> list[CheckResult]:
    """Holds the candidate to the mart contracts and the expectations, records what they say, and shows it on a page."""
    from quality.audit.contracts import check_contracts
    from quality.audit.expectations import check_expectations

    with warehouse.paths.writer(), _reading_candidate(warehouse), duckdb.connect() as connection:
        keep_within_limits(connection, warehouse.settings)
        build.attach_candidate(connection, warehouse.paths)
        touched = checked.relations(connection, warehouse.paths)
        started = time.perf_counter()
        results = check_contracts(connection, build.CANDIDATE_SCHEMA, touched, checked.NUMBER_IN_MODEL)
        _tell("contracts", results, started)
        started = time.perf_counter()
        candidate = _candidate_to_check(warehouse)
        facts = _facts_of(warehouse, candidate)
        found = check_expectations(connection, build.CANDIDATE_SCHEMA, facts, warehouse.ledger.published_figures())
        _tell("expectations", found.results, started)
        results += found.results
        _record(warehouse, results)
        warehouse.ledger.note_figures(candidate.build_id, found.figures)
        _write_page(warehouse, candidate, results, found)
        return results


def _facts_of(warehouse: Warehouse, candidate: Build) -> BuildFacts:
    logs = warehouse.ledger.log_dates(candidate.data_until)
    return BuildFacts(
        candidate.build_id,
        candidate.data_until,
        now(),
        {log: LogFacts(latest, rows) for log, (latest, rows) in logs.items()},
    )


def _write_page(warehouse: Warehouse, candidate: Build, audited: list[CheckResult], found: "Findings") -> None:
    names = {result.name for result in audited}
    page = audit_page(
        AuditedBuild(
            candidate.build_id,
            candidate.data_until,
            now(),
            build.sendmart_version(),
            [str(hold) for hold in decide(warehouse).holds],
        ),
        [result for result in warehouse.ledger.checks(candidate.build_id) if result.name not in names],
        audited,
        found.compared,
    )
    place = audit_pages.write(warehouse.paths, candidate.build_id, page)
    audit_pages.prune(warehouse.paths, warehouse.ledger)
    current.send(warehouse.paths, place)
    log.info("audit page: %s", place)


def audit_page_of(warehouse: Warehouse) -> Path | None:
    """Where the page is that tells what was checked of the candidate; None where there is none."""
    candidate = warehouse.ledger.candidate()
    place = candidate and audit_pages.place_of(warehouse.paths, candidate.build_id)
    return place if place and place.exists() else None


def _candidate_to_check(warehouse: Warehouse) -> Build:
    candidate = warehouse.ledger.candidate()
    if candidate is None:
        raise BuildFailed("there is no whole candidate to check; refresh again")
    return candidate


def _record(warehouse: Warehouse, results: Iterable[CheckResult]) -> None:
    warehouse.ledger.record_checks(_candidate_to_check(warehouse).build_id, results)


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
    candidate = warehouse.ledger.candidate()
    recorded = warehouse.ledger.checks(candidate.build_id) if candidate else []
    return gate.decide(
        _expected_checks(warehouse),
        recorded,
        warehouse.ledger.files(),
        warehouse.settings.max_rejected_share,
        warehouse.settings.min_rejected_rows,
        withdrawal=warehouse.ledger.withdrawal(candidate.build_id) if candidate else None,
        overridden={text for override in _overrides(warehouse, candidate) for text in override.overridden},
    )


def _overrides(warehouse: Warehouse, candidate: Build | None) -> list[Override]:
    return warehouse.ledger.overrides(candidate.build_id) if candidate else []


def _expected_checks(warehouse: Warehouse) -> set[str]:
    """The names of all checks that a candidate must have been held to."""
    return expected_checks() | build.expected_tests(warehouse.settings, warehouse.paths)


def is_published(warehouse: Warehouse, candidate: Build) -> bool:
    return publication.is_published(warehouse.settings, warehouse.paths, warehouse.ledger, candidate)


@masking_errors
def publish(warehouse: Warehouse, candidate: Build) -> tuple[datetime, Gist | None]:
    """Publishes the candidate in one step; gives the moment, and what changed: None where that cannot be said."""
    with warehouse.paths.writer(), _reading_candidate(warehouse):
        started = time.perf_counter()
        publication.settle(warehouse.paths, warehouse.ledger)
        gist = _gist(warehouse)
        published_at = publication.publish(warehouse.settings, warehouse.paths, warehouse.ledger, candidate)
        log.info("published build %s in %.1f s", candidate.build_id, time.perf_counter() - started)
        if gist:
            log.info("%s", gist.in_words())
            for warning in gist.warnings:
                log.warning("warning %s", warning)
        return published_at, gist


def _gist(warehouse: Warehouse) -> Gist | None:
    """What the candidate changes of what is published; a build that cannot be compared is published all the same."""
    current, candidate = publication.published_build(warehouse.paths), warehouse.ledger.candidate()
    if current is None or candidate is None or current[0] == candidate.build_id:
        return None
    try:
        return comparison.gist(
            warehouse.settings, current[0], warehouse.paths.published_marts, warehouse.paths.candidate,
            candidate.data_until,
        )  # fmt: skip
    except duckdb.Error as error:
        log.warning("what changed since build %s cannot be said: %s", current[0], error)
        return None


def override(warehouse: Warehouse, candidate: Build, reason: str) -> None:
    """Notes that a person publishes the candidate over all that holds it back now."""
    with warehouse.paths.writer():
        warehouse.ledger.override(candidate.build_id, reason, [str(hold) for hold in decide(warehouse).holds])


def roll_back(warehouse: Warehouse, build_id: str | None = None) -> tuple[str, str]:
    """Makes a kept build, or the one published before, the published one again; gives the one that it was, and is.

    Raises:
        NotKept: there is no such build to go back to.
    """
    with warehouse.paths.writer():
        publication.settle(warehouse.paths, warehouse.ledger)
        to = build_id or publication.before(warehouse.paths, warehouse.ledger)
        if to is None:
            raise publication.NotKept("no earlier build is kept that was not gone back from")
        (left, _) = warehouse.ledger.last_publication()
        publication.go_back(warehouse.settings, warehouse.paths, warehouse.ledger, to)
        log.info("published build %s again, in place of %s", to, left)
        return left, to


def unexported(warehouse: Warehouse) -> list[str]:
    """The reports that have not been exported from the published build yet, or of which an export was deleted."""
    last = warehouse.ledger.last_publication()
    if last is None:
        return []
    exported = warehouse.ledger.exported_reports(last[0])
    return [
        report
        for report in exports.REPORTS
        if report not in exported or exports.missing(warehouse.settings, warehouse.paths, warehouse.ledger, report)
    ]


@masking_errors
def export(
    warehouse: Warehouse,
    reports: Iterable[str],
    *,
    all_campaigns: bool = False,
    campaign: str | None = None,
    file_format: FileFormat = FileFormat.CSV,
) -> list[exports.Export | exports.Unchanged]:
    """Writes reports of the published build: contact-level ones with the campaigns that changed since the last time, or
    with `all_campaigns`. Of one `campaign`, or as a spreadsheet, they are copies that the next time knows nothing of.

    Raises:
        NothingPublished: there is no published build yet.
        ExportRefused: no mart knows the campaign, or the rows are too many for a spreadsheet.
    """
    with warehouse.paths.writer():
        started = time.perf_counter()
        told = exports.export(
            warehouse.settings,
            warehouse.paths,
            warehouse.ledger,
            reports,
            all_campaigns=all_campaigns,
            campaign=campaign,
            file_format=file_format,
        )
        for one in told:
            log.info("%s", in_words(one))
        log.info("exports: %d reports in %.1f s", len(told), time.perf_counter() - started)
        return told


def in_words(told: exports.Export | exports.Unchanged) -> str:
    """What became of an export, in a line."""
    if isinstance(told, exports.Unchanged):
        return f"{told.report}: nothing has changed since {told.since}"
    if told.changed_since is None:
        return f"exported {told.file}: {told.rows} rows"
    return (
        f"exported {told.file}: {told.rows} rows of {len(told.campaigns)} campaigns, changed since {told.changed_since}"
    )


def current_as_of(warehouse: Warehouse) -> dict[str, datetime]:
    """As of when the published marts and each export are; nothing where nothing was published yet.

    A refresh that found nothing new leaves them as they are, and as current as they can be.
    """
    published, good = warehouse.ledger.last_publication(), warehouse.ledger.last_good_refresh()
    if published is None:
        return {}
    marts = max(published[1], good.started_at) if good else published[1]
    behind = unexported(warehouse)
    return {
        "published/marts": marts,
        **{f"exports/{report}": published[1] if report in behind else marts for report in exports.REPORTS},
    }


def prune_exports(warehouse: Warehouse) -> list[str]:
    """Deletes exports older than the retention; nothing where the clock says that nobody refreshed for so long."""
    with warehouse.paths.writer():
        days = warehouse.settings.export_retention_days
        last = warehouse.ledger.last_end()
        if last is not None and now() - last > timedelta(days=days):
            # It may have jumped ahead: pruned is what is still too old at the next refresh.
            log.warning(
                "the last refresh was more than %d days ago, by the clock: no exports are pruned this time", days
            )
            return []
        deleted = exports.prune(warehouse.paths, warehouse.settings.export_retention_days)
        log.info("pruned %d export files older than %d days", len(deleted), warehouse.settings.export_retention_days)
        return deleted
