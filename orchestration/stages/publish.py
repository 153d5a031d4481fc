"""The publication stage: the candidate is published, or an earlier build is published again."""

import time
from datetime import datetime

import duckdb

from models.masking import mask_phone_numbers_in_errors
from orchestration.stages.build import _reading_candidate
from orchestration.stages.context import AppContext, log
from warehouse.ledger import Build
from warehouse.publish import build_diff, kept_builds, publication
from warehouse.publish.build_diff import DiffSummary


def is_published(context: AppContext, candidate: Build) -> bool:
    return publication.is_published(context.settings, context.paths, context.ledger, candidate)


@mask_phone_numbers_in_errors
def publish_candidate(context: AppContext, candidate: Build) -> tuple[datetime, DiffSummary | None]:
    """Publishes the candidate in one step; gives the moment, and what changed: None where that cannot be said."""
    with context.paths.writer_lock(), _reading_candidate(context):
        started = time.perf_counter()
        publication.settle(context.paths, context.ledger)
        summary = _diff_summary(context)
        published_at = publication.publish(context.settings, context.paths, context.ledger, candidate)
        log.info("published build %s in %.1f s", candidate.build_id, time.perf_counter() - started)
        if summary:
            log.info("%s", summary.describe())
            for warning in summary.warnings:
                log.warning("warning %s", warning)
        return published_at, summary


def _diff_summary(context: AppContext) -> DiffSummary | None:
    """What the candidate changes of what is published; a build that cannot be compared is published all the same."""
    current, candidate = publication.published_build(context.paths), context.ledger.candidate()
    if current is None or candidate is None or current[0] == candidate.build_id:
        return None
    try:
        return build_diff.summarize(
            context.settings, current[0], context.paths.published_marts, context.paths.candidate,
            candidate.data_until,
        )  # fmt: skip
    except duckdb.Error as error:
        log.warning("what changed since build %s cannot be said: %s", current[0], error)
        return None


def rollback_build(context: AppContext, build_id: str | None = None) -> tuple[str, str]:
    """Makes a kept build, or the one published before, the published one again; gives the one that it was, and is.

    Raises:
        BuildNotFound: there is no such build to go back to.
    """
    with context.paths.writer_lock():
        publication.settle(context.paths, context.ledger)
        to = build_id or kept_builds.before(context.paths, context.ledger)
        if to is None:
            raise kept_builds.BuildNotFound("no earlier build is kept that was not gone back from")
        (left, _) = context.ledger.last_publication()
        publication.rollback(context.settings, context.paths, context.ledger, to)
        log.info("published build %s again, in place of %s", to, left)
        return left, to
