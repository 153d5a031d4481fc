"""The release gate: what blocks publication, and what does not."""

import shlex
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import pytest

from models.check_results import CheckResult
from quality.gate import GateResult, evaluate_gate
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
    conflicting: int = 0
    not_selected: int = 0

    @property
    def accepted(self) -> int:
        return self.records - self.rejected - self.not_selected


def evaluate(files=(), recorded=(), expected=(), max_share=0.01, min_rows=10):
    return evaluate_gate(expected, recorded, files, max_share, min_rows)


def codes(gate_result: GateResult) -> list[str]:
    return [problem.code for problem in gate_result.blocking_problems]


def test_a_build_without_problems_may_be_published():
    gate_result = evaluate([File()], [CheckResult("a", True, True), CheckResult("b", False, True)], ["a", "b"])
    assert gate_result.may_publish
    assert (gate_result.blocking_problems, gate_result.warnings) == ((), ())


def test_a_build_without_any_files_may_be_published():
    assert evaluate().may_publish


# Refused files


def test_a_refused_file_blocks_and_its_problem_names_the_next_step():
    gate_result = evaluate([File(refusal="not a complete gzip file"), File(source_file="2026-01-06.csv")])
    (problem,) = gate_result.blocking_problems
    assert not gate_result.may_publish
    assert problem.code == "file-refused"
    for text in ("sends/2026-01-05.csv", "not a complete gzip file", "sendmart accept sends/2026-01-05.csv"):
        assert text in str(problem)


@pytest.mark.parametrize("facts", [{"refusal": "x"}, {"rejected": 500}])
def test_the_command_to_accept_a_file_can_be_pasted_whatever_its_name(facts):
    name = "2026-01-05/it's; `touch x` $(touch x) & *.csv"
    (problem,) = evaluate([File(source_file=name, **facts)]).blocking_problems
    command = problem.next_step[problem.next_step.index("sendmart accept") :]
    assert shlex.split(command) == ["sendmart", "accept", f"sends/{name}", "--reason", "…"]


def test_the_text_of_a_problem_masks_numbers_in_file_names():
    (problem,) = evaluate([File(source_file="2026-01-05/+447700900123.csv", refusal="x")]).blocking_problems
    assert "+447700900123" not in str(problem)
    assert str(problem).count("sends/2026-01-05/+44…23.csv") == 2


def test_every_refused_file_is_listed():
    files = [File(source_file=f"2026-01-0{day}.csv", refusal="x") for day in range(1, 8)]
    assert codes(evaluate(files)) == ["file-refused"] * 7


def test_an_accepted_refused_file_does_not_block():
    assert evaluate([File(refusal="x", is_accepted=True)]).may_publish
    assert codes(evaluate([File(refusal="x", is_accepted=True), File(refusal="y", log="clicks")])) == ["file-refused"]


# Rejected rows


@pytest.mark.parametrize(
    ("records", "rejected", "max_share", "min_rows", "blocks"),
    [
        # Both limits must be exceeded: the share and the number of rows.
        (1000, 10, 0.01, 10, False),
        (1000, 11, 0.01, 10, True),
        (999, 10, 0.01, 10, True),
        (100, 9, 0.01, 10, False),
        (100, 10, 0.01, 10, True),
        # More than half, however few rows.
        (10, 5, 0.01, 10, False),
        (10, 6, 0.01, 10, True),
        (3, 2, 0.01, 10, True),
        (1000, 501, 0.9, 2000, True),
        (1000, 999, 1.0, 0, False),
        (10_000, 100, 0.01, 10, False),
        (10_000, 101, 0.01, 10, True),
        # A share of 0 is exceeded by one row, a share of 1 never.
        (1000, 10, 0.0, 10, True),
        # Without a minimum of rows, the share alone decides; no row in quarantine never blocks.
        (1000, 1, 0.0, 0, True),
        (1000, 0, 0.0, 0, False),
        (0, 0, 0.0, 0, False),
        # Exactly the share, also where it has no exact binary fraction.
        *((100, percent, percent / 100, 1, False) for percent in range(1, 51)),
        *((100, percent, percent / 100, 1, True) for percent in range(51, 100)),
        *((100, percent + 1, percent / 100, 1, True) for percent in range(1, 99)),
    ],
)
def test_a_log_day_blocks_above_the_share_and_from_the_minimum_of_rows(records, rejected, max_share, min_rows, blocks):
    gate_result = evaluate([File(records=records, rejected=rejected)], max_share=max_share, min_rows=min_rows)
    assert codes(gate_result) == ["rows-rejected"] * blocks


def test_the_files_of_a_log_day_count_together():
    parts = [File(source_file=f"2026-01-05.{part}.csv", records=100, rejected=4) for part in range(3)]
    (problem,) = evaluate(parts).blocking_problems
    for text in ("sends of 2026-01-05", "12 of 300", "2026-01-05.0.csv", "sendmart accept sends/2026-01-05."):
        assert text in str(problem)
    # The rows of the good files of that day count, too.
    assert evaluate([*parts, File(records=900)]).may_publish


def test_days_and_logs_do_not_count_together():
    assert evaluate([File(records=100, rejected=9), File(log_date=TUESDAY, records=100, rejected=9)]).may_publish
    assert evaluate([File(records=100, rejected=9), File(log="clicks", records=100, rejected=9)]).may_publish


def test_each_log_day_with_too_many_is_listed():
    files = [File(log=log, log_date=day, rejected=50) for day in (TUESDAY, MONDAY) for log in ("sends", "clicks")]
    gate_result = evaluate(files)
    assert codes(gate_result) == ["rows-rejected"] * 4
    assert [problem.description.split(":")[0] for problem in gate_result.blocking_problems] == [
        *("clicks of 2026-01-05", "sends of 2026-01-05", "clicks of 2026-01-06", "sends of 2026-01-06"),
    ]


def test_records_that_a_source_does_not_select_count_in_the_share():
    """A broken record of a large file that feeds several logs is rejected in each of them."""
    assert evaluate([File(records=100, not_selected=100)]).may_publish
    assert evaluate([File(records=100, not_selected=80, rejected=8)]).may_publish
    assert codes(evaluate([File(records=100, not_selected=80, rejected=11)])) == ["rows-rejected"]
    assert evaluate([File(), File(log="receipts", records=1001, not_selected=1000, rejected=1)]).may_publish
    assert evaluate([File(records=2000, not_selected=1980, rejected=20)]).may_publish
    assert evaluate([File(records=2, not_selected=1, rejected=1)]).may_publish
    problems = evaluate([File(records=3, not_selected=1, rejected=2)]).blocking_problems
    assert [problem.code for problem in problems] == ["file-without-rows", "rows-rejected"]
    assert "none of its 2 rows was accepted, and 1 record was not selected" in problems[0].description
    assert "2 of 3 records are in quarantine" in problems[1].description


def test_a_file_without_an_accepted_row_blocks_unless_the_share_is_1():
    """As do those of a day on which most rows were accepted from other files."""
    files = [File(), File(source_file="it's.csv", records=1, rejected=1)]
    (problem,) = evaluate(files).blocking_problems
    assert problem.code == "file-without-rows"
    assert "sends/it's.csv: none of its 1 row was accepted" in problem.description
    assert "sendmart accept 'sends/it'\"'\"'s.csv'" in problem.next_step
    assert evaluate(files, max_share=1.0).may_publish
    assert evaluate([File(), replace(files[1], is_accepted=True)]).may_publish
    assert codes(evaluate([replace(files[1], records=7, rejected=7)])) == ["file-without-rows", "rows-rejected"]
    assert evaluate([File(records=0)]).may_publish, "an empty file has no records"


def test_rejected_rows_of_an_accepted_file_do_not_count():
    accepted = File(source_file="a", records=100, rejected=90, is_accepted=True)
    assert evaluate([accepted]).may_publish
    assert evaluate([accepted, File(source_file="b", records=100, rejected=9)]).may_publish
    (problem,) = evaluate([accepted, File(source_file="b", records=100, rejected=10)]).blocking_problems
    assert "sends/b" in str(problem)
    assert "sends/a" not in str(problem)


# Key conflicts


@pytest.mark.parametrize(
    ("accepted", "conflicting", "max_share", "min_rows", "blocks"),
    [
        (1000, 10, 0.01, 10, False),
        (1000, 11, 0.01, 10, True),
        (100, 9, 0.01, 10, False),
        (10, 9, 0.01, 10, False),
        (10, 10, 0.01, 10, True),
        (10, 10, 1.0, 0, False),
        (10, 0, 0.0, 0, False),
        (0, 0, 0.0, 0, False),
    ],
)
def test_conflicting_rows_block_above_the_share_of_accepted_rows_and_from_the_minimum(
    accepted, conflicting, max_share, min_rows, blocks
):
    files = [File(records=accepted, conflicting=conflicting)]
    assert codes(evaluate(files, max_share=max_share, min_rows=min_rows)) == ["key-conflicts"] * blocks


def test_conflicting_rows_count_by_log_day_without_those_of_accepted_files():
    files = [File(source_file=f"{part}.csv", records=100, conflicting=6) for part in "ab"]
    (problem,) = evaluate([*files, File(log="clicks", conflicting=9)]).blocking_problems
    for text in (
        "sends of 2026-01-05: 12 of 200",
        "message_id",
        "sends/a.csv, sends/b.csv",
        "sendmart accept sends/a.csv",
    ):
        assert text in str(problem)
    assert evaluate([replace(files[0], is_accepted=True), files[1]]).may_publish
    assert evaluate([files[0], replace(files[1], log_date=TUESDAY)]).may_publish
    # Rejected rows are no accepted rows.
    assert codes(evaluate([File(records=1500, rejected=500, conflicting=11)])) == ["rows-rejected", "key-conflicts"]


# Checks


def test_a_failed_blocking_check_blocks_with_its_detail():
    checks = [CheckResult("tiles add up", True, False, "3 campaigns"), CheckResult("other", True, True)]
    (problem,) = evaluate(recorded=checks, expected=["tiles add up", "other"]).blocking_problems
    assert problem.code == "check-failed"
    assert "tiles add up" in problem.description
    assert "3 campaigns" in problem.description


def test_a_failed_check_that_is_not_blocking_warns():
    failed = CheckResult("volume", False, False, "half of yesterday's")
    gate_result = evaluate(recorded=[failed], expected=["volume"])
    assert gate_result.may_publish
    assert gate_result.warnings == (failed,)


@pytest.mark.parametrize("expected", [["a", "b", "c"], ["c"]])
def test_a_check_without_a_result_blocks_like_a_failed_check(expected):
    gate_result = evaluate(recorded=[CheckResult("a", True, True), CheckResult("b", True, True)], expected=expected)
    assert codes(gate_result) == ["check-missing"]
    assert "c" in gate_result.blocking_problems[0].description


def test_a_build_without_any_results_is_blocked():
    assert codes(evaluate(expected=[f"check {number}" for number in range(20)])) == ["check-missing"]


def test_a_failed_check_that_was_not_expected_blocks():
    assert codes(evaluate(recorded=[CheckResult("new", True, False)])) == ["check-failed"]


def test_every_problem_is_listed():
    files = [File(refusal="x"), File(source_file="b", rejected=500)]
    checks = [CheckResult("b", True, False), CheckResult("a", True, False), CheckResult("w", False, False)]
    gate_result = evaluate(files, checks, ["a", "b", "w", "missing"])
    assert sorted(codes(gate_result)) == [
        "check-failed",
        "check-failed",
        "check-missing",
        "file-refused",
        "rows-rejected",
    ]
    assert [result.name for result in gate_result.warnings] == ["w"]
    assert all(problem.next_step and problem.description for problem in gate_result.blocking_problems)


def test_the_text_of_a_problem_ends_with_its_runbook_page():
    files = [File(refusal="x"), File(source_file="b", rejected=500)]
    for problem in evaluate(files, [CheckResult("a", True, False)], ["missing"]).blocking_problems:
        assert str(problem).endswith(f"See docs/runbook/{problem.code}.md")


# Rollbacks and overrides

WITHDRAWAL = Publication("b1", datetime(2026, 1, 6, 8, tzinfo=UTC), rolled_back_from="b2")


def test_a_build_that_was_rolled_back_is_blocked_although_every_check_passes():
    (problem,) = evaluate_gate(
        ["a"], [CheckResult("a", True, True)], [File()], 0.01, 10, withdrawal=WITHDRAWAL
    ).blocking_problems
    assert problem.code == "build-withdrawn"
    for text in ("b2", "2026-01-06 08:00:00", "b1", "sendmart publish --override"):
        assert text in str(problem)


def test_overridden_problems_do_not_block_and_all_others_do():
    def overridden_gate(*overridden: str, detail: str = "3 campaigns", at: int = 8):
        withdrawal = replace(WITHDRAWAL, published_at=WITHDRAWAL.published_at.replace(hour=at))
        files = [File(refusal="x"), File(source_file="b", rejected=500)]
        recorded = [CheckResult("tiles", True, False, detail)]
        return evaluate_gate(["gone"], recorded, files, 0.01, 10, withdrawal=withdrawal, overridden=overridden)

    problems = [str(problem) for problem in overridden_gate().blocking_problems]
    assert len(problems) == 5
    assert (overridden_gate().overridden, overridden_gate().may_publish) == ((), False)
    assert overridden_gate(*problems).may_publish
    assert [str(problem) for problem in overridden_gate(*problems).overridden] == problems
    for remaining in problems:
        assert [
            str(problem)
            for problem in overridden_gate(*(text for text in problems if text != remaining)).blocking_problems
        ] == [remaining]
    assert codes(overridden_gate(*problems, detail="4 campaigns")) == ["check-failed"], (
        "another detail is another problem"
    )
    assert codes(overridden_gate(*problems, at=9)) == ["build-withdrawn"], "a second rollback is another problem"
