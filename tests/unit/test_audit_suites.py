"""The results of a suite without Great Expectations are those of Great Expectations."""

import math
from itertools import product

from models.check_results import Rule
from quality.audit.suites import UsualRange, check_suite
from quality.audit.validation import validate_suite

BOUNDS = [(0, 1), (None, 0.1), (1, None), (0.3, 0.1 + 0.2), (-5, -0.0), (2.0**53, None), (None, math.inf)]
VALUES = [
    None,
    math.nan,
    0,
    -0.0,
    0.1,
    0.3,
    0.1 + 0.2,
    1,
    1 + 2**-52,
    -5,
    -5.000001,
    2**53,
    2**53 + 2,
    1e300,
    math.inf,
    -math.inf,
]


def test_a_metric_is_in_its_range_where_great_expectations_says_so() -> None:
    cases = list(product(BOUNDS, VALUES))
    ranges = [UsualRange(f"m{number}", f"{case}", *case[0]) for number, case in enumerate(cases)]
    metrics = {usual.metric: value for usual, (_, value) in zip(ranges, cases, strict=True)}
    by_description = {rule.description: rule for rule in validate_suite("cases", ranges, metrics)}
    rules = [by_description[usual.description] for usual in ranges]
    assert [usual.contains(metrics[usual.metric]) for usual in ranges] == [rule.passed for rule in rules]
    assert {rule.passed for rule in rules} == {True, False}
    within = [usual for usual in ranges if usual.contains(metrics[usual.metric])]
    assert check_suite("within", within, metrics) == [rule for rule in rules if rule.passed]


def test_a_metric_that_was_not_computed_is_not_in_its_range() -> None:
    (rule,) = check_suite("missing", [UsualRange("m", "is usual", at_least=1)], {"n": 1.0})
    assert isinstance(rule, Rule)
    assert not rule.passed
    assert "m could not be checked" in rule.message
