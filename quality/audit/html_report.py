"""The audit page of a build: one HTML file that shows every check, needs no other file and sends no request.

Failed checks come first, then every mart with its checks and its metrics beside earlier builds. Text from data is escaped,
and mobile numbers are masked. The page's own policy forbids scripts and anything from other hosts.

Not here: the checks, where pages lie and how long they are kept (`warehouse.publish.audit_pages`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from html import escape

from models.check_results import CheckResult, Rule
from models.marts import DBT_MARTS
from models.masking import masked
from quality.audit.anomalies import ComparedMetric

_WIDTH, _HEIGHT, _EDGE = 132, 26, 3

_OTHER_TESTS = "between marts and before them"
"""The section of the dbt tests that are not of one mart."""

_STYLE = """
:root { color-scheme: light dark; --text: #1d2329; --soft: #5c6670; --line: #d5dae0; --ground: #ffffff; --raised: #f5f7f9;
  --good: #1a7044; --warn: #8a5a00; --bad: #b3261e; --band: #dfe9e2; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e8ec; --soft: #9aa5b0; --line: #363d45; --ground: #14181c;
  --raised: #1c2127; --good: #6fcf97; --warn: #f0b74a; --bad: #ff8a80; --band: #24382c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 78rem; padding: 1.5rem; background: var(--ground); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .5rem; }
h3 { font-size: .95rem; margin: 1rem 0 .3rem; color: var(--soft); font-weight: 600; }
p { margin: .3rem 0; } code, .number { font-family: ui-monospace, monospace; font-size: .88em; }
.about { color: var(--soft); } .wrap { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: .4rem 0 1rem; }
th { text-align: left; color: var(--soft); font-weight: 600; font-size: .85rem; }
th, td { padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number, th.number { text-align: right; white-space: nowrap; }
td { overflow-wrap: anywhere; } td.result { white-space: nowrap; } td.check { min-width: 15rem; }
.good { color: var(--good); } .warn { color: var(--warn); font-weight: 600; } .bad { color: var(--bad); font-weight: 600; }
.decision { border-left: 4px solid; padding: .5rem .9rem; background: var(--raised); margin: 1rem 0; }
.decision p, .decision li { color: var(--text); font-weight: 400; }
.message { color: var(--soft); font-size: .88rem; }
details { margin: .4rem 0; } summary { cursor: pointer; color: var(--soft); }
svg { display: block; } svg .band { fill: var(--band); } svg polyline { fill: none; stroke: var(--soft); stroke-width: 1.5; }
svg circle { fill: var(--text); } svg .outside { fill: var(--bad); }
a { color: inherit; }
"""


@dataclass(frozen=True)
class AuditedBuild:
    """What the head of a page shows of a build.

    `data_until` is its latest log date; `audited_at` is UTC; `blocking_problems` are those that the release gate found when
    the audit ended, as text.
    """

    build_id: str
    data_until: date | None
    audited_at: datetime
    version: str
    blocking_problems: Sequence[str]


def audit_page(
    build: AuditedBuild,
    dbt_tests: Iterable[CheckResult],
    audited: Iterable[CheckResult],
    compared: Mapping[str, Sequence[ComparedMetric]],
    tested_models: Mapping[str, str],
) -> str:
    """The page as HTML.

    Args:
        dbt_tests: the results of the dbt tests on the build.
        audited: the results of contracts and expectations, called `<kind>_<mart>`.
        compared: by mart, its metrics beside earlier builds.
        tested_models: by dbt test, the model that it tests; a test between models has no entry.
    """
    dbt_tests, audited = list(dbt_tests), list(audited)
    by_mart: dict[str, list[CheckResult]] = {mart: [] for mart in (*DBT_MARTS, _OTHER_TESTS)}
    for result in audited:
        by_mart[result.name.partition("_")[2]].append(result)
    for result in dbt_tests:
        model = tested_models.get(result.name)
        by_mart[model if model in DBT_MARTS else _OTHER_TESTS].append(result)
    body = [
        f"<h1>Audit of build {_text(build.build_id)}</h1>",
        f'<p class="about">Audited {build.audited_at:%Y-%m-%d %H:%M:%S} UTC, data until {_text(build.data_until)},'
        f" Sendmart {_text(build.version)}. How to read this page: docs/audit.md.</p>",
        _decision(build),
        *_failed_checks([*audited, *dbt_tests]),
        *_summary(by_mart),
    ]
    for mart, results in by_mart.items():
        body += _mart_section(mart, results, compared.get(mart, ()))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Audit of {_text(build.build_id)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _text(value: object) -> str:
    return escape(masked(str(value)))


def _anchor(mart: str) -> str:
    return _text(mart.replace(" ", "-"))


def _decision(build: AuditedBuild) -> str:
    if not build.blocking_problems:
        return '<div class="decision good">The release gate lets this build be published.</div>'
    problems = "".join(f"<li>{_text(problem)}</li>" for problem in build.blocking_problems)
    return f'<div class="decision bad">The release gate holds this build back:<ul>{problems}</ul></div>'


def _failed_checks(results: Sequence[CheckResult]) -> list[str]:
    failed = [result for result in results if not result.passed]
    if not failed:
        return [f"<p>All {len(results)} checks passed.</p>"]
    rows = [
        f'<tr><td class="result">{_outcome(result.passed, result.is_blocking)}</td>'
        f'<td class="check"><code>{_text(result.name)}</code></td>'
        f"<td>{'<br>'.join(_text(line) for line in result.detail.splitlines())}</td></tr>"
        for result in sorted(failed, key=lambda result: not result.is_blocking)
    ]
    return ["<h2>Failed checks</h2>", _table(("", "check", "what failed"), rows)]


def _summary(by_mart: Mapping[str, Sequence[CheckResult]]) -> list[str]:
    rows = []
    for mart, results in by_mart.items():
        failures = sum(not result.passed and result.is_blocking for result in results)
        warnings = sum(not result.passed and not result.is_blocking for result in results)
        rows.append(
            f'<tr><td><a href="#{_anchor(mart)}">{_text(mart)}</a></td><td class="number">{len(results)}</td>'
            f'<td class="number{" bad" if failures else ""}">{failures}</td>'
            f'<td class="number{" warn" if warnings else ""}">{warnings}</td></tr>'
        )
    return ["<h2>By mart</h2>", _table(("mart", "#checks", "#failed", "#warnings"), rows)]


def _mart_section(mart: str, results: Sequence[CheckResult], metrics: Sequence[ComparedMetric]) -> list[str]:
    parts = [f'<h2 id="{_anchor(mart)}">{_text(mart)}</h2>']
    if metrics:
        parts += ["<h3>Metrics beside earlier published builds</h3>", _metrics_table(metrics)]
    rows = [_rule_row(result, rule) for result in results for rule in result.rules or (_as_rule(result),)]
    parts += [
        f"<details><summary>All {len(rows)} rules of {len(results)} checks</summary>",
        _table(("", "rule", "check", "severity", "#rows checked", "#rows failing", "examples"), rows),
        "</details>",
    ]
    return parts


def _as_rule(result: CheckResult) -> Rule:
    return Rule(result.name, result.passed, result.detail)


def _rule_row(result: CheckResult, rule: Rule) -> str:
    keys = "<br>".join(_text(", ".join(f"{name} {value}" for name, value in key.items())) for key in rule.example_keys)
    message = f'<div class="message">{_text(rule.message)}</div>' if rule.message else ""
    return (
        f'<tr><td class="result">{_outcome(rule.passed, result.is_blocking)}</td>'
        f"<td>{_text(rule.description)}{message}</td>"
        f'<td class="check"><code>{_text(result.name)}</code></td>'
        f"<td>{'critical' if result.is_blocking else 'warning'}</td>"
        f'<td class="number">{_count(rule.checked_rows)}</td><td class="number">{_count(rule.failing_rows)}</td>'
        f"<td>{keys}</td></tr>"
    )


def _outcome(passed: bool, is_blocking: bool) -> str:
    if passed:
        return '<span class="good">passed</span>'
    return '<span class="bad">FAILED</span>' if is_blocking else '<span class="warn">warning</span>'


def _metrics_table(metrics: Sequence[ComparedMetric]) -> str:
    rows = [
        f'<tr><td class="result">{_outcome(metric.is_in_range, False) if metric.has_range else "—"}</td>'
        f'<td>{_text(metric.description)}<div class="message"><code>{_text(metric.name)}</code></div></td>'
        f'<td class="number{"" if metric.is_in_range else " warn"}">{_number(metric.value)}</td>'
        f'<td class="number">{_range(metric)}</td><td class="number">{len(metric.history)}</td>'
        f"<td>{_sparkline(metric)}</td></tr>"
        for metric in metrics
    ]
    return _table(("", "expectation", "#this build", "#usual range", "#earlier dates", "history"), rows)


def _range(metric: ComparedMetric) -> str:
    if metric.lower is not None and metric.upper is not None:
        return f"{_number(metric.lower)} to {_number(metric.upper)}"
    if metric.lower is not None:
        return f"at least {_number(metric.lower)}"
    if metric.upper is not None:
        return f"at most {_number(metric.upper)}"
    return "too few builds yet"


def _sparkline(metric: ComparedMetric) -> str:
    """The earlier values as a line, this build's value as a dot, and the usual range as a band behind them."""
    values = [value for _, value in metric.history] + [metric.value]
    if len(values) < 2:
        return ""
    bounds = [bound for bound in (metric.lower, metric.upper) if bound is not None]
    least, most = min(values), max(values)
    # A range may be very wide: it is drawn only as far as it is near the values.
    room = (most - least) or abs(most) or 1.0
    low = max(min([least, *bounds]), least - room)
    high = min(max([most, *bounds]), most + room)
    scale = (_HEIGHT - 2 * _EDGE) / ((high - low) or 1.0)

    def y(value: float) -> float:
        return _HEIGHT - _EDGE - (min(max(value, low), high) - low) * scale

    step = (_WIDTH - 2 * _EDGE) / (len(values) - 1)
    points = [(_EDGE + index * step, y(value)) for index, value in enumerate(values)]
    band = ""
    if bounds:
        top = y(high if metric.upper is None else metric.upper)
        bottom = y(low if metric.lower is None else metric.lower)
        band = f'<rect class="band" x="0" y="{top:.1f}" width="{_WIDTH}" height="{max(bottom - top, 1):.1f}"/>'
    line = " ".join(f"{x:.1f},{height:.1f}" for x, height in points)
    dot_x, dot_y = points[-1]
    dot_class = "" if metric.is_in_range else ' class="outside"'
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img"'
        f' aria-label="{len(values)} values; the last one is this build\'s">'
        f'{band}<polyline points="{line}"/><circle{dot_class} cx="{dot_x:.1f}" cy="{dot_y:.1f}" r="3"/></svg>'
    )


def _number(value: float) -> str:
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _count(count: int | None) -> str:
    return "" if count is None else f"{count:,}"


def _table(headers: Sequence[str], rows: Iterable[str]) -> str:
    """A table; a header that begins with # is of a column of numbers."""
    head = "".join(
        f'<th class="number">{header[1:]}</th>' if header.startswith("#") else f"<th>{header}</th>"
        for header in headers
    )
    return f'<div class="wrap"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
