"""Holds a candidate build to its Great Expectations suites: sums between marts block, volumes and shares warn, and so does
what is unlike the builds before it.

Great Expectations has no datasource for DuckDB, and turns decimals into floats: it is given small pandas frames that
DuckDB computed, through one context in memory that writes nothing and calls nobody.

Not here: the queries (`quality.audit.invariant_frames`, `quality.audit.metrics`), what earlier builds make ordinary
(`quality.audit.anomalies`), the expectations (`quality.audit.suites`), rules that a row keeps by itself
(`quality.audit.contracts`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd

from models.build_metrics import BuildFigures, Figures
from models.check_results import CheckResult, Rule
from models.marts import DBT_MARTS
from quality.audit.anomalies import Compared, compared
from quality.audit.formatting import MOST_NAMED, error_text, named, select_values, shown, some_of
from quality.audit.invariant_frames import FRAMES, share_aggregates
from quality.audit.metrics import BuildFacts, figures_of

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuite
    from great_expectations.core.expectation_validation_result import ExpectationValidationResult
    from great_expectations.datasource.fluent import PandasDatasource

_INVARIANTS, _VOLUMES, _HISTORY = "invariants", "volumes", "history"
_KINDS = (_INVARIANTS, _VOLUMES, _HISTORY)

_NULLABLE = (pd.BooleanDtype, pd.Int8Dtype, pd.Int16Dtype, pd.Int32Dtype, pd.Int64Dtype, pd.Float64Dtype)

_NO_FACTS = BuildFacts()


@dataclass(frozen=True)
class Findings:
    """What an audit found: results, the candidate's figures, and by mart those beside their history."""

    results: list[CheckResult]
    figures: Figures
    compared: dict[str, list[Compared]]


def check_expectations(
    connection: duckdb.DuckDBPyConnection,
    schema: str,
    facts: BuildFacts = _NO_FACTS,
    published: Sequence[BuildFigures] = (),
) -> Findings:
    """Three results per mart: `invariants_<mart>`, blocking, `volumes_<mart>` and `history_<mart>`, which only warn.

    Args:
        connection: a connection that sees the candidate; it is left as it is.
        schema: where the marts are, such as `candidate.marts`.
        facts: what is known of the build besides its marts.
        published: the figures of builds that were published, in that order.
    """
    figures: dict[str, dict[str, float]] = {}
    beside_history: dict[str, list[Compared]] = {}
    try:
        # Imported here, for it takes seconds: only an audit pays for it.
        from quality.audit.suites import of_history, suites

        expected = suites()
        source = _source()
        # Its temporary tables go with it.
        with connection.cursor() as cursor:
            without = share_aggregates(cursor, schema, facts.data_until)
            audit = _Audit(cursor, schema, source, without)
            rules = {mart: {_INVARIANTS: audit.invariants(mart, expected[mart][0])} for mart in DBT_MARTS}
            for mart in DBT_MARTS:
                try:
                    row = figures_of(cursor, schema, mart, facts)
                    figures[mart] = {name: value for name, value in row.items() if value is not None}
                    candidate = BuildFigures(facts.build_id, facts.data_until, figures)
                    beside_history[mart] = compared(mart, candidate, published)
                    rules[mart] |= {
                        _VOLUMES: audit.ordinary(mart, expected[mart][1], row),
                        _HISTORY: audit.ordinary(
                            mart,
                            of_history(mart, beside_history[mart]),
                            {figure.name: figure.value for figure in beside_history[mart]},
                        ),
                    }
                # Whatever it is, this has not been checked.
                except Exception as error:
                    unchecked = [_unchecked("; ".join([error_text(error), *without]))]
                    rules[mart] |= {_VOLUMES: unchecked, _HISTORY: unchecked}
    # Whatever it is, nothing has been checked.
    except Exception as error:
        rules = {mart: {kind: [_unchecked(error_text(error))] for kind in _KINDS} for mart in DBT_MARTS}
    results = [
        CheckResult(
            f"{kind}_{mart}",
            is_blocking=kind == _INVARIANTS,
            passed=all(rule.passed for rule in rules[mart][kind]),
            detail="\n".join(rule.found for rule in rules[mart][kind] if not rule.passed),
            rules=tuple(rules[mart][kind]),
        )
        for mart in DBT_MARTS
        for kind in _KINDS
    ]
    return Findings(results, figures, beside_history)


def _unchecked(why: str) -> Rule:
    return Rule("everything that is expected of the mart", passed=False, found=f"could not be checked: {why}")


def _source() -> "PandasDatasource":
    """A datasource in a context of its own: in memory, without analytics and progress bars, whatever is configured."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    context = gx.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(),
            analytics_enabled=False,
            progress_bars=ProgressBarsConfig(globally=False, metric_calculations=False),
        ),
    )
    return context.data_sources.add_pandas("candidate")


class _Audit:
    """The audit of one candidate."""

    def __init__(
        self, cursor: duckdb.DuckDBPyConnection, schema: str, source: "PandasDatasource", without: Sequence[str]
    ) -> None:
        self._cursor = cursor
        self._schema = schema
        self._source = source
        self._without = without

    def invariants(self, mart: str, suite: "ExpectationSuite") -> list[Rule]:
        """What must be true of a mart's frame, and how that came out."""
        frame = FRAMES[mart]
        try:
            data = _without_nullable_types(self._cursor.execute(frame.sql.format(marts=self._schema)).df())
            return [self._rule(mart, result, frame.names) for result in self._validated(suite, data, frame.names)]
        # Whatever it is, this has not been checked.
        except Exception as error:
            return [_unchecked("; ".join([error_text(error), *self._without]))]

    def ordinary(self, mart: str, suite: "ExpectationSuite", figures: Mapping[str, float | None]) -> list[Rule]:
        """What a mart's figures ordinarily are, and how that came out."""
        if not suite.expectations:
            return []
        # Missing numbers are NaN, which Great Expectations leaves out.
        data = pd.DataFrame([figures], dtype="float64")
        return [self._rule(mart, result, ()) for result in self._validated(suite, data, ())]

    def _validated(
        self, suite: "ExpectationSuite", data: pd.DataFrame, names: Sequence[str]
    ) -> "Iterator[ExpectationValidationResult]":
        asset = self._source.add_dataframe_asset(suite.name)
        batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": data})
        found = batch.validate(
            suite,
            result_format={
                "result_format": "SUMMARY",
                "partial_unexpected_count": MOST_NAMED,
                "unexpected_index_column_names": list(names),
            },
        )
        if len(found.results) != len(suite.expectations):
            raise RuntimeError(f"{len(found.results)} of {len(suite.expectations)} expectations were looked at")
        yield from found.results

    def _rule(self, mart: str, result: "ExpectationValidationResult", names: Sequence[str]) -> Rule:
        """An expectation and how it came out."""
        found = result.result
        rows = [] if result.success else found.get("partial_unexpected_index_list") or []
        return Rule(
            says=result.expectation_config.description,
            passed=bool(result.success),
            found="" if result.success else self._told(mart, result, names),
            looked_at=found.get("element_count"),
            failing=found.get("unexpected_count"),
            keys=tuple({name: shown(name, row[name]) for name in names} for row in rows) if names else (),
        )

    def _told(self, mart: str, result: "ExpectationValidationResult", names: Sequence[str]) -> str:
        """A failed expectation: what was expected, what was found, of which rows, and how to look at them."""
        config, found = result.expectation_config, result.result
        columns = [config.kwargs[name] for name in ("column", "column_A", "column_B") if name in config.kwargs]
        expectation = f"{config.type}({', '.join(columns)})"
        if "unexpected_count" not in found:
            return f"{config.description}: {expectation} could not be checked: {_raised(result.exception_info)}"
        if not names:
            value = shown(columns[0], found["partial_unexpected_list"][0])
            return f"not so: {config.description}: {columns[0]} is {value}, {_range(config.kwargs)} ({expectation})"
        failing = found["unexpected_count"]
        # That what should hold does not is no more than is known already.
        telling = [column for column in columns if config.kwargs.get("value_set") != [True]]
        rows = [_in_order(row, [*names, *telling]) for row in found["partial_unexpected_index_list"]]
        values = [str(row[names[0]]) for row in rows if not pd.isna(row[names[0]])]
        look = select_values(self._schema, mart, names[0], values) if values else ""
        return (
            f"not so: {config.description}: {failing} of {found['element_count']} by {', '.join(names)} "
            f"({expectation}); {some_of(failing, len(rows))}{named(rows)}" + (f"; look: {look}" if look else "")
        )


def _without_nullable_types(frame: pd.DataFrame) -> pd.DataFrame:
    """Great Expectations stumbles over pandas' own missing value: missing numbers are NaN instead."""
    nullable = [name for name, dtype in frame.dtypes.items() if isinstance(dtype, _NULLABLE)]
    return frame.astype(dict.fromkeys(nullable, "float64"))


def _in_order(row: dict[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    return {column: row[column] for column in dict.fromkeys(columns)}


def _range(kwargs: dict[str, Any]) -> str:
    least, most = kwargs.get("min_value"), kwargs.get("max_value")
    if least is None:
        return f"ordinarily at most {most:g}"
    return f"ordinarily at least {least:g}" + ("" if most is None else f" and at most {most:g}")


def _raised(info: dict[str, Any]) -> str:
    """The message of what was raised: told once, or by metric."""
    told = [info] if "exception_message" in info else list(info.values())
    return "; ".join(dict.fromkeys(error_text(str(each["exception_message"])) for each in told))
