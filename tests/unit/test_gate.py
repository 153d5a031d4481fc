"""The gate: what holds a build back, and what does not."""

import shlex
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import pytest

from models.check_results import CheckResult
from quality.gate import evaluate_gate
from warehouse.ledger import Publication

MONDAY, TUESDAY = date(2026, 1, 5), date(2026, 1, 6)


@dataclass(frozen=True)
class File:
    log: str = "sends"
    source_file: str = "2026-01-05.csv"
    log_date: date = MONDAY
    refusal: str | None = None
    records: int = 1000
    rejected: int = 0
    is_accepted: bool = False


def decided(files=(), recorded=(), expected=(), max_share=0.01, min_rows=10):
    return evaluate_gate(expected, recorded, files, max_share, min_rows)


def codes(verdict) -> list[str]:
    return [hold.code for hold in verdict.holds]


def test_a_build_of_which_nothing_is_known_against_may_be_published():
    verdict = decided([File()], [CheckResult("a", True, True), CheckResult("b", False, True)], ["a", "b"])
    assert verdict.may_publish
    assert (verdict.holds, verdict.warnings) == ((), ())


def test_a_build_without_any_files_may_be_published():
    assert decided().may_publish


# Refused files


def test_a_refused_file_holds_back_and_says_how_to_go_on():
    verdict = decided([File(refusal="not a whole gzip file"), File(source_file="2026-01-06.csv")])
    (hold,) = verdict.holds
    assert not verdict.may_publish
    assert hold.code == "file-refused"
    for words in ("sends/2026-01-05.csv", "not a whole gzip file", "sendmart accept sends/2026-01-05.csv"):
        assert words in str(hold)


@pytest.mark.parametrize("found", [{"refusal": "x"}, {"rejected": 500}])
def test_the_command_to_accept_a_file_can_be_pasted_whatever_its_name(found):
    name = "2026-01-05/it's; `touch x` $(touch x) & *.csv"
    (hold,) = decided([File(source_file=name, **found)]).holds
    command = hold.next_step[hold.next_step.index("sendmart accept") :]
    assert shlex.split(command) == ["sendmart", "accept", f"sends/{name}", "--reason", "…"]


def test_what_is_kept_of_a_hold_has_the_numbers_in_names_of_files_masked():
    (hold,) = decided([File(source_file="2026-01-05/+447700900123.csv", refusal="x")]).holds
    assert "+447700900123" not in str(hold)
    assert str(hold).count("sends/2026-01-05/+44…23.csv") == 2


def test_every_refused_file_is_listed():
    files = [File(source_file=f"2026-01-0{day}.csv", refusal="x") for day in range(1, 8)]
    assert codes(decided(files)) == ["file-refused"] * 7


def test_a_refused_file_that_a_person_accepted_does_not_hold_back():
    assert decided([File(refusal="x", is_accepted=True)]).may_publish
    assert codes(decided([File(refusal="x", is_accepted=True), File(refusal="y", log="clicks")])) == ["file-refused"]


# Rejected rows


@pytest.mark.parametrize(
    ("records", "rejected", "max_share", "min_rows", "holds_back"),
    [
        # More than the share, and at least so many rows: both.
        (1000, 10, 0.01, 10, False),
        (1000, 11, 0.01, 10, True),
        (999, 10, 0.01, 10, True),
        (100, 9, 0.01, 10, False),
        (100, 10, 0.01, 10, True),
        (10, 9, 0.01, 10, False),
        (10, 10, 0.01, 10, True),
        (10_000, 100, 0.01, 10, False),
        (10_000, 101, 0.01, 10, True),
        # A share of 0: one row is more. Of 1: nothing is more.
        (1000, 10, 0.0, 10, True),
        (1000, 1000, 1.0, 10, False),
        # No number of rows asked for: the share alone; but no row in quarantine is never too many.
        (1000, 1, 0.0, 0, True),
        (1000, 0, 0.0, 0, False),
        (0, 0, 0.0, 0, False),
        # Exactly the share, where it has no exact binary fraction.
        *((100, percent, percent / 100, 1, False) for percent in range(1, 100)),
        *((100, percent + 1, percent / 100, 1, True) for percent in range(1, 100)),
    ],
)
def test_a_log_day_holds_back_beyond_the_share_and_from_the_number_of_rows(
    records, rejected, max_share, min_rows, holds_back
):
    verdict = decided([File(records=records, rejected=rejected)], max_share=max_share, min_rows=min_rows)
    assert codes(verdict) == ["rows-rejected"] * holds_back


def test_the_files_of_a_log_day_count_together():
    parts = [File(source_file=f"2026-01-05.{part}.csv", records=100, rejected=4) for part in range(3)]
    (hold,) = decided(parts).holds
    for words in ("sends of 2026-01-05", "12 of 300", "2026-01-05.0.csv", "sendmart accept sends/2026-01-05."):
        assert words in str(hold)
    # The rows of the good files of the day count too.
    assert decided([*parts, File(records=900)]).may_publish


def test_days_and_logs_do_not_count_together():
    assert decided([File(records=100, rejected=9), File(log_date=TUESDAY, records=100, rejected=9)]).may_publish
    assert decided([File(records=100, rejected=9), File(log="clicks", records=100, rejected=9)]).may_publish


def test_each_log_day_with_too_many_is_listed():
    files = [File(log=log, log_date=day, rejected=50) for day in (TUESDAY, MONDAY) for log in ("sends", "clicks")]
    verdict = decided(files)
    assert codes(verdict) == ["rows-rejected"] * 4
    assert [hold.found.split(":")[0] for hold in verdict.holds] == [
        *("clicks of 2026-01-05", "sends of 2026-01-05", "clicks of 2026-01-06", "sends of 2026-01-06"),
    ]


def test_the_rows_of_a_file_that_a_person_accepted_are_not_held_against_its_day():
    accepted = File(source_file="a", records=100, rejected=90, is_accepted=True)
    assert decided([accepted]).may_publish
    assert decided([accepted, File(source_file="b", records=100, rejected=9)]).may_publish
    (hold,) = decided([accepted, File(source_file="b", records=100, rejected=10)]).holds
    assert "sends/b" in str(hold)
    assert "sends/a" not in str(hold)


# Checks


def test_a_blocking_check_that_failed_holds_back_with_its_detail():
    checks = [CheckResult("tiles add up", True, False, "3 campaigns"), CheckResult("other", True, True)]
    (hold,) = decided(recorded=checks, expected=["tiles add up", "other"]).holds
    assert hold.code == "check-failed"
    assert "tiles add up" in hold.found
    assert "3 campaigns" in hold.found


def test_a_check_that_does_not_block_warns():
    failed = CheckResult("volume", False, False, "half of yesterday's")
    verdict = decided(recorded=[failed], expected=["volume"])
    assert verdict.may_publish
    assert verdict.warnings == (failed,)


@pytest.mark.parametrize("expected", [["a", "b", "c"], ["c"]])
def test_a_check_that_was_not_recorded_holds_back_like_one_that_failed(expected):
    verdict = decided(recorded=[CheckResult("a", True, True), CheckResult("b", True, True)], expected=expected)
    assert codes(verdict) == ["check-missing"]
    assert "c" in verdict.holds[0].found


def test_no_checks_recorded_at_all_hold_back():
    assert codes(decided(expected=[f"check {number}" for number in range(20)])) == ["check-missing"]


def test_a_failed_check_that_nobody_expected_counts_all_the_same():
    assert codes(decided(recorded=[CheckResult("new", True, False)])) == ["check-failed"]


def test_all_that_holds_back_is_listed():
    files = [File(refusal="x"), File(source_file="b", rejected=500)]
    checks = [CheckResult("b", True, False), CheckResult("a", True, False), CheckResult("w", False, False)]
    verdict = decided(files, checks, ["a", "b", "w", "missing"])
    assert sorted(codes(verdict)) == ["check-failed", "check-failed", "check-missing", "file-refused", "rows-rejected"]
    assert [result.name for result in verdict.warnings] == ["w"]
    assert all(hold.next_step and hold.found for hold in verdict.holds)


def test_what_is_printed_ends_by_naming_the_page_of_the_runbook():
    files = [File(refusal="x"), File(source_file="b", rejected=500)]
    for hold in decided(files, [CheckResult("a", True, False)], ["missing"]).holds:
        assert str(hold).endswith(f"See docs/runbook/{hold.code}.md")


# What a person said of a build


WITHDRAWAL = Publication("b1", datetime(2026, 1, 6, 8, tzinfo=UTC), went_back_from="b2")


def test_a_build_that_somebody_went_back_from_is_held_back_though_every_check_holds():
    (hold,) = evaluate_gate(["a"], [CheckResult("a", True, True)], [File()], 0.01, 10, withdrawal=WITHDRAWAL).holds
    assert hold.code == "build-withdrawn"
    for words in ("b2", "2026-01-06 08:00:00", "b1", "sendmart publish --accept"):
        assert words in str(hold)


def test_what_a_person_overrode_holds_back_no_more_and_all_else_does():
    def verdict(*overridden: str, detail: str = "3 campaigns", at: int = 8):
        withdrawal = replace(WITHDRAWAL, published_at=WITHDRAWAL.published_at.replace(hour=at))
        files = [File(refusal="x"), File(source_file="b", rejected=500)]
        recorded = [CheckResult("tiles", True, False, detail)]
        return evaluate_gate(["gone"], recorded, files, 0.01, 10, withdrawal=withdrawal, overridden=overridden)

    everything = [str(hold) for hold in verdict().holds]
    assert len(everything) == 5
    assert (verdict().overridden, verdict().may_publish) == ((), False)
    assert verdict(*everything).may_publish
    assert [str(hold) for hold in verdict(*everything).overridden] == everything
    for left in everything:
        assert [str(hold) for hold in verdict(*(text for text in everything if text != left)).holds] == [left]
    assert codes(verdict(*everything, detail="4 campaigns")) == ["check-failed"], "found anew, it is another"
    assert codes(verdict(*everything, at=9)) == ["build-withdrawn"], "gone back from once more"
