"""The audit page of a build: one HTML file with every check, failed ones first, and every mart's metrics beside earlier
builds. Text from data is escaped, mobile numbers are masked; the page's policy forbids scripts and requests to other hosts.

Not here: the checks, where pages lie and how long they are kept (`warehouse.publish.audit_pages`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from models.check_results import CheckResult, Rule
from models.masking import masked
from quality.audit.anomalies import ComparedMetric

if TYPE_CHECKING:
    from jinja2 import Template

_WIDTH, _HEIGHT, _EDGE = 132, 26, 3

_OTHER_TESTS = "between marts and before them"
"""The section of the dbt tests that are not of one mart."""


@dataclass(frozen=True)
class AuditedBuild:
    """The head of a page: the build, its latest log date, the time of the audit (UTC), and the problems that the gate then
    found.
    """

    build_id: str
    data_until: date | None
    audited_at: datetime
    version: str
    blocking_problems: Sequence[str]


def audit_page(
    build: AuditedBuild,
    dbt_tests: Sequence[CheckResult],
    audited: Sequence[CheckResult],
    compared: Mapping[str, Sequence[ComparedMetric]],
    tested_models: Mapping[str, str],
) -> str:
    """The page as HTML. `audited`: results of contracts and expectations; `compared`: by mart, its metrics beside earlier
    builds; `tested_models`: by dbt test, the model that it tests, unless it is between models.
    """
    by_mart: dict[str, list[CheckResult]] = {}
    for result in audited:
        by_mart.setdefault(result.name.partition("_")[2], []).append(result)
    by_mart[_OTHER_TESTS] = []
    for result in dbt_tests:
        by_mart.get(tested_models.get(result.name, ""), by_mart[_OTHER_TESTS]).append(result)
    failed = [result for result in (*audited, *dbt_tests) if not result.passed]
    return _template().render(
        build=build,
        by_mart=by_mart,
        rules={mart: list(_rules(results)) for mart, results in by_mart.items()},
        failed=sorted(failed, key=lambda result: not result.is_blocking),
        number_of_checks=len(audited) + len(dbt_tests),
        compared=compared,
    )


@cache
def _template() -> "Template":
    # Here: commands that write no page do without it.
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=_masked,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"number": _number, "sparkline": _sparkline}
    return environment.get_template("audit_page.html")


def _masked(value: object) -> object:
    """What the template shows of a value. Markup is its own."""
    return value if isinstance(value, Markup) else masked(str(value))


def _rules(results: Iterable[CheckResult]) -> Iterable[tuple[CheckResult, Rule]]:
    for result in results:
        for rule in result.rules or (Rule(result.name, result.passed, result.detail),):
            yield result, rule


def _sparkline(metric: ComparedMetric) -> dict[str, Any]:
    """The points of the earlier values and of this build's value, and top and height of the usual range, in pixels."""
    values = [*(value for _, value in metric.history), metric.value]
    bounds = [bound for bound in (metric.lower, metric.upper) if bound is not None]
    least, most = min(values), max(values)
    # A range may be very wide: it is drawn only as far as it is near the values.
    room = (most - least) or abs(most) or 1.0
    low, high = max(min([least, *bounds]), least - room), min(max([most, *bounds]), most + room)
    scale = (_HEIGHT - 2 * _EDGE) / ((high - low) or 1.0)

    def y(value: float) -> float:
        return _HEIGHT - _EDGE - (min(max(value, low), high) - low) * scale

    step = (_WIDTH - 2 * _EDGE) / (len(values) - 1)
    top = y(high if metric.upper is None else metric.upper)
    bottom = y(low if metric.lower is None else metric.lower)
    return {
        "width": _WIDTH,
        "height": _HEIGHT,
        "points": [(f"{_EDGE + index * step:.1f}", f"{y(value):.1f}") for index, value in enumerate(values)],
        "band": (f"{top:.1f}", f"{max(bottom - top, 1):.1f}") if bounds else None,
    }


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
