"""Holds a candidate build to its Great Expectations suites: sums between marts block, volumes and shares warn.

Great Expectations has no datasource for DuckDB, and turns decimals into floats: it is given small pandas frames that
DuckDB computed, through one context in memory that writes nothing and calls nobody.

Not here: the queries (`quality.audit.frames`, `quality.audit.figures`), the expectations (`quality.audit.suites`),
rules that a row keeps by itself (`quality.audit.contracts`).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd

from models.checks import CheckResult
from models.marts import DBT_MARTS
from quality.audit.figures import FIGURES
from quality.audit.frames import FRAMES, SHARED
from quality.audit.wording import MOST_NAMED, error_text, named, select_values, shown, some_of

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuite
    from great_expectations.core.expectation_validation_result import ExpectationValidationResult
    from great_expectations.datasource.fluent import PandasDatasource

_INVARIANTS, _VOLUMES = "invariants", "volumes"

_KIND_BY_SEVERITY = {"critical": _INVARIANTS, "warning": _VOLUMES}

_NULLABLE = (pd.BooleanDtype, pd.Int8Dtype, pd.Int16Dtype, pd.Int32Dtype, pd.Int64Dtype, pd.Float64Dtype)


def check_expectations(connection: duckdb.DuckDBPyConnection, schema: str) -> list[CheckResult]:
    """Two results per mart: `invariants_<mart>`, blocking, and `volumes_<mart>`, which only warns.

    Args:
        connection: a connection that sees the candidate; it is left as it is.
        schema: where the marts are, such as `candidate.marts`.
    """
    try:
        # Imported here, for it takes seconds: only an audit pays for it.
        from quality.audit.suites import suites

        expected = suites()
        source = _source()
        # Its temporary tables go with it.
        with connection.cursor() as cursor:
            without = _share_aggregates(cursor, schema)
            audit = _Audit(cursor, schema, source, without)
            faults = {mart: audit.faults(mart, *expected[mart]) for mart in DBT_MARTS}
    # Whatever it is, nothing has been checked.
    except Exception as error:
        line = f"could not be checked: {error_text(error)}"
        faults = {mart: {_INVARIANTS: [line], _VOLUMES: [line]} for mart in DBT_MARTS}
    return [
        CheckResult(f"{kind}_{mart}", is_blocking=kind == _INVARIANTS, passed=not lines, detail="\n".join(lines))
        for mart, by_kind in faults.items()
        for kind, lines in by_kind.items()
    ]


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


def _share_aggregates(cursor: duckdb.DuckDBPyConnection, schema: str) -> list[str]:
    """Computes what several frames need; what could not be computed, and why, is told where it is missed."""
    faults = []
    for name, query in SHARED.items():
        try:
            cursor.execute(f"create temporary table {name} as {query.format(marts=schema)}")
        except duckdb.Error as error:
            faults.append(f"{name}: {error_text(error)}")
    return faults


class _Audit:
    """The audit of one candidate."""

    def __init__(
        self, cursor: duckdb.DuckDBPyConnection, schema: str, source: "PandasDatasource", without: Sequence[str]
    ) -> None:
        self._cursor = cursor
        self._schema = schema
        self._source = source
        self._without = without

    def faults(self, mart: str, of_frame: "ExpectationSuite", of_figures: "ExpectationSuite") -> dict[str, list[str]]:
        """What is not as expected, a line each, by kind of result."""
        faults: dict[str, list[str]] = {_INVARIANTS: [], _VOLUMES: []}
        frame = FRAMES[mart]
        for kind, suite, query, names in (
            (_INVARIANTS, of_frame, frame.sql, frame.names),
            (_VOLUMES, of_figures, FIGURES[mart], ()),
        ):
            try:
                for result in self._failed(suite, query, names):
                    severity = result.expectation_config.severity.value
                    faults[_KIND_BY_SEVERITY[severity]].append(self._told(mart, result, names))
            # Whatever it is, this has not been checked.
            except Exception as error:
                faults[kind].append("; ".join([f"could not be checked: {error_text(error)}", *self._without]))
        return faults

    def _failed(
        self, suite: "ExpectationSuite", query: str, names: Sequence[str]
    ) -> "list[ExpectationValidationResult]":
        data = _without_nullable_types(self._cursor.execute(query.format(marts=self._schema)).df())
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
        return [result for result in found.results if not result.success]

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
