"""The results of a run as Markdown tables: the figures beside their limits, and the parts of each refresh.

Not here: the measurements (`harness`).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.harness import LITTLE_MEMORY, TINY_SENDS, ByHand, History, Outcome
from benchmarks.measure import Cost
from benchmarks.refresh import RefreshCost

GB = 1e9


@dataclass(frozen=True)
class Figure:
    """A figure: what is measured and beside what, as text; its value with a unit, and the greatest value allowed."""

    what: str
    measured: str
    baseline: str
    value: float
    unit: str
    at_most: float

    def row(self) -> str:
        reached = "yes" if self.value <= self.at_most else "**no**"
        value, limit = (f"{number:.3g} {self.unit}" for number in (self.value, self.at_most))
        return f"| {self.what} | {self.measured} | {self.baseline} | {value} | {limit} | {reached} |"


def figures(outcome: Outcome) -> str:
    """The figures with their limits."""
    lines = [
        "| what | measured | baseline | ratio or value | at most | reached |",
        "|---|---|---|--:|--:|---|",
    ]
    return "\n".join(lines + [figure.row() for figure in _figures(outcome)])


def _figures(outcome: Outcome) -> Iterable[Figure]:
    history, tiny = outcome.history, outcome.tiny
    first, by_hand = history.first, history.first_by_hand
    assert by_hand is not None  # of this history it is measured
    name = f"{outcome.sends:,} sends, csv.gz to published and exported, all told"
    yield _ratio(f"{name}, wall", first.all_told.wall, by_hand.all_told.wall, "s", 1.5)
    yield _ratio("the same, CPU", first.all_told.cpu, by_hand.all_told.cpu, "CPU s", 1.4)
    yield _ratio("of it: admission, default settings, wall", first.admission.wall, by_hand.admission.wall, "s", 1)
    yield _value("of it: before the first row is read, empty data folder", first.before_first_row.wall, "s", 5)
    build = first.build.cpu - tiny.first.build.cpu
    yield _ratio("of it: build, CPU without what is fixed", build, by_hand.build.cpu, "CPU s", 0.8)
    yield _value("of it: build, peak memory", first.build.peak / GB, "GB", 4)
    yield _value("of it: checks (dbt tests, contracts, expectations), wall", first.checks.wall, "s", 8)
    yield _value("of it: exports, wall", first.exports.wall, "s", 6)
    yield from _of_nights(outcome)
    yield _value(f"nothing new at {outcome.files:,} files", outcome.nothing_new.cpu, "CPU s", 1.2)
    for command, at_most in (("--help", 0.3), ("status", 0.8)):
        yield _value(f"`sendmart {command}`", outcome.commands[command].cpu, "CPU s", at_most)
    one, two = outcome.admission[1], outcome.admission[2]
    yield _ratio("admission with 2 workers beside 1, wall", two.wall, one.wall, "s", 0.6)
    yield _value("admission with 1 worker, peak memory", one.peak / GB, "GB", 1)
    little, usual = outcome.in_little_memory.build.cpu, outcome.in_full.build.cpu
    yield _ratio(f"build in full with {LITTLE_MEMORY} beside that with the default", little, usual, "CPU s", 1.2)
    if outcome.large:
        yield from _of_large(outcome, outcome.large)


def _of_nights(outcome: Outcome) -> Iterable[Figure]:
    history, tiny = outcome.history, outcome.tiny
    assert history.night_by_hand is not None  # of this history it is measured
    night, by_hand = history.night.all_told, history.night_by_hand.all_told
    what = f"a night of {history.night_sends:,} sends on {history.days} days, all told"
    yield Figure(what, _shown(night), f"{_shown(by_hand)}, everything built again", night.cpu, "CPU s", 12)
    yield _value("its peak memory", night.peak / GB, "GB", 1.2)
    if short := outcome.short:
        fixed = tiny.night.build.cpu
        what = f"its build beside that of a night on {short.days} days, without what is fixed"
        yield _ratio(what, history.night.build.cpu - fixed, short.night.build.cpu - fixed, "CPU s", 1.4)
    what = f"a night of {tiny.night_sends:,} sends on {TINY_SENDS:,}, all told"
    yield Figure(what, _shown(tiny.night.all_told), "", tiny.night.all_told.cpu, "CPU s", 8)


def _of_large(outcome: Outcome, large: History) -> Iterable[Figure]:
    times = outcome.scale.large_sends / outcome.scale.sends
    first, usual = large.first.all_told, outcome.history.first.all_told
    yield _ratio(f"{outcome.scale.large_sends:,} sends, all told, CPU", first.cpu, usual.cpu, "CPU s", 1.1 * times)
    yield _value("its peak memory", first.peak / GB, "GB", 6)
    night, usual_night = large.night.all_told, outcome.history.night.all_told
    yield _ratio(f"its night of {large.night_sends:,} sends, all told", night.cpu, usual_night.cpu, "CPU s", 2)


def _ratio(what: str, measured: float, baseline: float, unit: str, at_most: float) -> Figure:
    # In a very small sample, what is left beyond the fixed cost may be nothing.
    ratio = measured / baseline if baseline > 0 else float("nan")
    return Figure(what, f"{measured:.1f} {unit}", f"{baseline:.1f} {unit}", ratio, "x", at_most)


def _value(what: str, value: float, unit: str, at_most: float) -> Figure:
    return Figure(what, f"{value:.3g} {unit}", "", value, unit, at_most)


def _shown(cost: Cost) -> str:
    return f"{cost.wall:.1f} s, {cost.cpu:.1f} CPU s, {cost.peak / GB:.2f} GB"


def parts(outcome: Outcome) -> str:
    """Wall and CPU seconds of the parts of each refresh, and of the same by hand."""
    lines = [
        "| refresh | all told | before the first row | admission | build | checks | publication | exports |",
        "|---|" + "--:|" * 7,
    ]
    histories = {
        f"{outcome.scale.sends:,} sends": outcome.history,
        "short history": outcome.short,
        "tiny history": outcome.tiny,
        f"{outcome.scale.large_sends:,} sends": outcome.large,
    }
    for name, history in histories.items():
        if history:
            lines.append(_parts_row(name, history.first))
            if history.first_by_hand:
                lines.append(_by_hand_row(f"{name}, by hand", history.first_by_hand))
            lines.append(_parts_row(f"{name}, night", history.night))
            if history.night_by_hand:
                lines.append(_by_hand_row(f"{name}, night by hand", history.night_by_hand))
    lines.append(_parts_row("full refresh", outcome.in_full))
    lines.append(_parts_row(f"full refresh with {LITTLE_MEMORY}", outcome.in_little_memory))
    return "\n".join(lines)


def _parts_row(name: str, refresh: RefreshCost) -> str:
    costs = [
        *(refresh.all_told, refresh.before_first_row, refresh.admission, refresh.build, refresh.checks),
        *(refresh.publication, refresh.exports),
    ]
    return f"| {name} | " + " | ".join(f"{cost.wall:.1f} s, {cost.cpu:.1f} CPU" for cost in costs) + " |"


def _by_hand_row(name: str, by_hand: ByHand) -> str:
    all_told, admission, build = (
        f"{cost.wall:.1f} s, {cost.cpu:.1f} CPU" for cost in (by_hand.all_told, by_hand.admission, by_hand.build)
    )
    return f"| {name} | {all_told} | | {admission} | {build} | | | |"
