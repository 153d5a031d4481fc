"""The page that shows a person what was checked of a build: one HTML file that needs nothing else and calls nobody.

What did not hold comes first, then every mart with all of its checks and its figures beside their history. Whatever comes
from data is escaped, and mobile numbers are masked; the page forbids itself scripts and anything from elsewhere.

Not here: what is checked, where pages lie and how long (`warehouse.publish.audit_pages`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from html import escape

from models.check_results import CheckResult, Rule
from models.marts import DBT_MARTS
from models.masking import masked
from quality.audit.anomalies import Compared

_WIDTH, _HEIGHT, _EDGE = 132, 26, 3

_BEFORE_THE_MARTS = "models before the marts"

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
.verdict { border-left: 4px solid; padding: .5rem .9rem; background: var(--raised); margin: 1rem 0; }
.verdict p, .verdict li { color: var(--text); font-weight: 400; }
.found { color: var(--soft); font-size: .88rem; }
details { margin: .4rem 0; } summary { cursor: pointer; color: var(--soft); }
svg { display: block; } svg .band { fill: var(--band); } svg polyline { fill: none; stroke: var(--soft); stroke-width: 1.5; }
svg circle { fill: var(--text); } svg .out { fill: var(--bad); }
a { color: inherit; }
"""


@dataclass(frozen=True)
class AuditedBuild:
    """What a page is headed with. `blocking_problems` are those that the release gate found when the audit ended."""

    build_id: str
    data_until: date | None
    audited_at: datetime
    version: str
    blocking_problems: Sequence[str]


def audit_page(
    build: AuditedBuild,
    dbt_tests: Iterable[CheckResult],
    audited: Iterable[CheckResult],
    compared: Mapping[str, Sequence[Compared]],
) -> str:
    """The page.

    Args:
        dbt_tests: the results of dbt's tests on the build.
        audited: those of contracts and expectations.
        compared: by mart, its figures beside those of earlier builds.
    """
    dbt_tests, audited = list(dbt_tests), list(audited)
    by_mart: dict[str, list[CheckResult]] = {mart: [] for mart in (*DBT_MARTS, _BEFORE_THE_MARTS)}
    for result in audited:
        by_mart[result.name.partition("_")[2]].append(result)
    for result in dbt_tests:
        by_mart[_mart_of(result.name)].append(result)
    body = [
        f"<h1>Audit of build {_text(build.build_id)}</h1>",
        f'<p class="about">Audited {build.audited_at:%Y-%m-%d %H:%M:%S} UTC, data until {_text(build.data_until)},'
        f" Sendmart {_text(build.version)}. How to read it: docs/audit.md.</p>",
        _verdict(build),
        *_not_holding([*audited, *dbt_tests]),
        *_summary(by_mart),
    ]
    for mart, results in by_mart.items():
        body += _of_mart(mart, results, compared.get(mart, ()))
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


def _mart_of(test: str) -> str:
    """dbt calls its tests by what they test and the model; of marts whose names are in it, the longest is meant."""
    return max((mart for mart in DBT_MARTS if f"_{mart}" in f"_{test}"), key=len, default=_BEFORE_THE_MARTS)


def _verdict(build: AuditedBuild) -> str:
    if not build.blocking_problems:
        return '<div class="verdict good">The release gate lets this build be published.</div>'
    problems = "".join(f"<li>{_text(problem)}</li>" for problem in build.blocking_problems)
    return f'<div class="verdict bad">The release gate holds this build back:<ul>{problems}</ul></div>'


def _not_holding(results: Sequence[CheckResult]) -> list[str]:
    failed = [result for result in results if not result.passed]
    if not failed:
        return [f"<p>All {len(results)} checks hold.</p>"]
    rows = [
        f'<tr><td class="result">{_outcome(result.passed, result.is_blocking)}</td>'
        f'<td class="check"><code>{_text(result.name)}</code></td>'
        f"<td>{'<br>'.join(_text(line) for line in result.detail.splitlines())}</td></tr>"
        for result in sorted(failed, key=lambda result: not result.is_blocking)
    ]
    return ["<h2>What does not hold</h2>", _table(("", "check", "found"), rows)]


def _summary(by_mart: Mapping[str, Sequence[CheckResult]]) -> list[str]:
    rows = []
    for mart, results in by_mart.items():
        failed = sum(not result.passed and result.is_blocking for result in results)
        warned = sum(not result.passed and not result.is_blocking for result in results)
        rows.append(
            f'<tr><td><a href="#{_anchor(mart)}">{_text(mart)}</a></td><td class="number">{len(results)}</td>'
            f'<td class="number{" bad" if failed else ""}">{failed}</td>'
            f'<td class="number{" warn" if warned else ""}">{warned}</td></tr>'
        )
    return ["<h2>By mart</h2>", _table(("mart", "#checks", "#failed", "#warnings"), rows)]


def _of_mart(mart: str, results: Sequence[CheckResult], figures: Sequence[Compared]) -> list[str]:
    parts = [f'<h2 id="{_anchor(mart)}">{_text(mart)}</h2>']
    if figures:
        parts += ["<h3>Figures beside earlier published builds</h3>", _figures(figures)]
    rows = [_rule_row(result, rule) for result in results for rule in result.rules or (_as_rule(result),)]
    parts += [
        f"<details><summary>All {len(rows)} rules of {len(results)} checks</summary>",
        _table(("", "what is expected", "check", "severity", "#rows looked at", "#failing", "which"), rows),
        "</details>",
    ]
    return parts


def _as_rule(result: CheckResult) -> Rule:
    return Rule(result.name, result.passed, result.detail)


def _rule_row(result: CheckResult, rule: Rule) -> str:
    keys = "<br>".join(_text(", ".join(f"{name} {value}" for name, value in key.items())) for key in rule.keys)
    found = f'<div class="found">{_text(rule.found)}</div>' if rule.found else ""
    return (
        f'<tr><td class="result">{_outcome(rule.passed, result.is_blocking)}</td><td>{_text(rule.says)}{found}</td>'
        f'<td class="check"><code>{_text(result.name)}</code></td><td>{"critical" if result.is_blocking else "warning"}</td>'
        f'<td class="number">{_count(rule.looked_at)}</td><td class="number">{_count(rule.failing)}</td><td>{keys}</td></tr>'
    )


def _outcome(passed: bool, is_blocking: bool) -> str:
    if passed:
        return '<span class="good">holds</span>'
    return '<span class="bad">FAILED</span>' if is_blocking else '<span class="warn">warning</span>'


def _figures(figures: Sequence[Compared]) -> str:
    rows = []
    for figure in figures:
        out = not _is_ordinary(figure)
        rows.append(
            f'<tr><td class="result">{_outcome(not out, False) if figure.has_norm else "—"}</td>'
            f'<td>{_text(figure.says)}<div class="found"><code>{_text(figure.name)}</code></div></td>'
            f'<td class="number{" warn" if out else ""}">{_number(figure.value)}</td>'
            f'<td class="number">{_range(figure)}</td><td class="number">{len(figure.earlier)}</td>'
            f"<td>{_sparkline(figure)}</td></tr>"
        )
    return _table(("", "what is expected", "#this build", "#ordinarily", "#earlier dates", "history"), rows)


def _is_ordinary(figure: Compared) -> bool:
    low = figure.least is None or figure.value >= figure.least
    return low and (figure.most is None or figure.value <= figure.most)


def _range(figure: Compared) -> str:
    if not figure.has_norm:
        return "too few builds yet"
    if figure.least is None:
        return f"at most {_number(figure.most)}"
    return (
        f"at least {_number(figure.least)}"
        if figure.most is None
        else (f"{_number(figure.least)} to {_number(figure.most)}")
    )


def _sparkline(figure: Compared) -> str:
    """Earlier values as a line, this build's as a dot, and behind them the range that is ordinary."""
    values = [value for _, value in figure.earlier] + [figure.value]
    if len(values) < 2:
        return ""
    bounds = [bound for bound in (figure.least, figure.most) if bound is not None]
    least, most = min(values), max(values)
    # A range may be very wide: it is drawn as far as it is near the values.
    room = (most - least) or abs(most) or 1.0
    low = max(min([least, *bounds]), least - room)
    high = min(max([most, *bounds]), most + room)
    scale = (_HEIGHT - 2 * _EDGE) / ((high - low) or 1.0)

    def y(value: float) -> float:
        return _HEIGHT - _EDGE - (min(max(value, low), high) - low) * scale

    step = (_WIDTH - 2 * _EDGE) / (len(values) - 1)
    points = [(_EDGE + place * step, y(value)) for place, value in enumerate(values)]
    band = ""
    if bounds:
        top, bottom = y(high if figure.most is None else figure.most), y(low if figure.least is None else figure.least)
        band = f'<rect class="band" x="0" y="{top:.1f}" width="{_WIDTH}" height="{max(bottom - top, 1):.1f}"/>'
    line = " ".join(f"{x:.1f},{height:.1f}" for x, height in points)
    dot_x, dot_y = points[-1]
    kind = "" if _is_ordinary(figure) else ' class="out"'
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="{len(values)} values, the last one of this build">'
        f'{band}<polyline points="{line}"/><circle{kind} cx="{dot_x:.1f}" cy="{dot_y:.1f}" r="3"/></svg>'
    )


def _number(value: float) -> str:
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _count(count: int | None) -> str:
    return "" if count is None else f"{count:,}"


def _table(headers: Sequence[str], rows: Iterable[str]) -> str:
    """A table; headers that begin with # stand over numbers."""
    head = "".join(
        f'<th class="number">{header[1:]}</th>' if header.startswith("#") else f"<th>{header}</th>"
        for header in headers
    )
    return f'<div class="wrap"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
