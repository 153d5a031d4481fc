"""The publication stage: the candidate is published, or an earlier build is published again."""

import time
from datetime import datetime

import duckdb

from models.masking import mask_phone_numbers_in_errors
from orchestration.stages.build import reading_candidate
from orchestration.stages.context import AppContext, log
from warehouse.ledger import Build
from warehouse.publish.build_diff import DiffSummary, open_builds, summarize
from warehouse.publish.kept_builds import BuildNotFound, KeptBuilds
from warehouse.publish.publication import is_published as is_build_published
from warehouse.publish.publication import publish, published_build, recover_publication, rollback


def is_published(context: AppContext, candidate: Build) -> bool:
    """Whether the candidate is published, as the settings ask for it."""
    return is_build_published(context.settings, context.paths, context.ledger, candidate)


@mask_phone_numbers_in_errors
def publish_candidate(context: AppContext, candidate: Build) -> tuple[datetime, DiffSummary | None]:
    """Publishes the candidate. Returns when (UTC), and what changed, or None if the builds cannot be compared."""
    with context.paths.writer_lock(), reading_candidate(context):
        started = time.perf_counter()
        recover_publication(context.paths, context.ledger)
        summary = _diff_summary(context, candidate)
        published_at = publish(context.settings, context.paths, context.ledger, candidate)
        log.info("published build %s in %.1f s", candidate.build_id, time.perf_counter() - started)
        if summary:
            log.info("%s", summary.describe())
            for warning in summary.warnings:
                log.warning("warning %s", warning)
        return published_at, summary


def _diff_summary(context: AppContext, candidate: Build) -> DiffSummary | None:
    """What the candidate changes. A build that cannot be compared is published all the same."""
    published = published_build(context.paths)
    if published is None or published.build_id == candidate.build_id:
        return None
    try:
        with open_builds(context.settings, context.paths.published_marts, context.paths.candidate) as connection:
            return summarize(
                connection, published.build_id, candidate.data_until, context.settings.recorded_figure_settings()
            )
    except duckdb.Error as error:
        log.warning("cannot compare the candidate with build %s: %s", published.build_id, error)
        return None


def rollback_build(context: AppContext, build_id: str | None = None) -> tuple[str, str]:
    """Publishes a kept build again, by default the previous one; returns the builds before and now. Raises BuildNotFound."""
    with context.paths.writer_lock():
        recover_publication(context.paths, context.ledger)
        target = build_id or KeptBuilds(context.paths.kept_builds, context.ledger).previous()
        last = context.ledger.last_publication()
        if target is None or last is None:
            raise BuildNotFound("no earlier build is kept that was not rolled back from")
        rollback(context.settings, context.paths, context.ledger, target)
        log.info("rolled back from build %s to build %s", last[0], target)
        return last[0], target
