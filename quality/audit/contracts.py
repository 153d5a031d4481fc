"""Checks the rows of every mart of a candidate against the mart's contract: columns, types, values, keys. Rows are read as
Arrow in batches, so that memory does not grow with the mart. Keys are compared by hash, and in full where two hashes are
equal.

Not here: the contracts (`models.marts`), rules between columns, rows and marts (`dbt_project`).
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import MappingProxyType

import duckdb
import polars as pl
from pandera.errors import SchemaErrors

from models.check_results import MAX_EXAMPLES, CheckResult, Rule
from models.marts import DBT_MARTS, columns, qualified
from quality.audit.formatting import error_text, format_value, name_rows, result_of

BATCH_ROWS = 500_000

MOST_BATCHES_AT_ONCE = 4
"""A batch takes up to 200 MB."""

_ROW_NUMBER = "rowid"
"""DuckDB's row number: it identifies a row in a query and holds no personal data."""


def check_contracts(
    connection: duckdb.DuckDBPyConnection,
    marts: Iterable[str],
    rows: Mapping[str, str] = MappingProxyType({}),
    row_number: str = _ROW_NUMBER,
    threads: int = 1,
) -> list[CheckResult]:
    """One blocking result per mart, `contract_<mart>`; no error is raised. `rows`: by mart, a relation with the rows to check
    (else all are checked), and `row_number` its column with the `rowid` of the row in the mart. `threads`: the number of
    batches that are checked at once.
    """
    results = []
    for mart in marts:
        try:
            # Each mart has its own cursor, so that an error on one does not affect the next.
            with connection.cursor() as cursor:
                rules = _check(cursor, mart, (rows[mart], row_number) if mart in rows else None, threads)
        # Any error means that the mart was not checked. (A panic of polars is not an Exception.)
        except (Exception, pl.exceptions.PanicException) as error:
            message = f"could not be checked: {error_text(error)}"
            rules = [Rule("the mart keeps its contract", passed=False, message=message)]
        results.append(result_of(f"contract_{mart}", rules, is_blocking=True))
    return results


def _check(cursor: duckdb.DuckDBPyConnection, mart: str, changed: tuple[str, str] | None, threads: int) -> list[Rule]:
    """The rules of a mart. `changed`: the relation with the rows to check, and its column with their row number."""
    message = _wrong_columns(cursor, mart)
    rules = [Rule("the columns have the names, types and order of the contract", passed=not message, message=message)]
    if message:  # row rules and keys assume the columns and types of the contract
        return rules
    relation, row_number = changed or (f"candidate.{qualified(mart)}", _row_number_in(cursor, mart))
    rules.append(_check_rows(cursor, mart, relation, row_number, threads))
    return [*rules, _check_keys(cursor, mart, relation)]


def _row_number_in(cursor: duckdb.DuckDBPyConnection, mart: str) -> str:
    """The expression of a row's number. A view has no `rowid` column."""
    is_view = cursor.execute(
        "select 1 from duckdb_views() where (database_name, schema_name, view_name) = ('candidate', ?, ?)",
        [DBT_MARTS[mart].schema, mart],
    ).fetchone()
    return "row_number() over ()" if is_view else _ROW_NUMBER


def _wrong_columns(cursor: duckdb.DuckDBPyConnection, mart: str) -> str:
    try:
        described = cursor.execute(f"describe candidate.{qualified(mart)}").fetchall()
    except duckdb.CatalogException:
        return f"table {qualified(mart)} is missing"
    actual = {name: sql_type.lower() for name, sql_type, *_ in described}
    expected = {column.name: column.sql_type for column in columns(mart)}
    problems = [f"column {name} is missing" for name in expected if name not in actual]
    problems += [f"column {name} is not in the contract" for name in actual if name not in expected]
    problems += [
        f"column {name} is {actual[name]}, not {sql_type}"
        for name, sql_type in expected.items()
        if actual.get(name, sql_type) != sql_type
    ]
    if not problems and list(actual) != list(expected):
        problems.append(f"columns are not in the order {', '.join(expected)}")
    return f"{'; '.join(problems)}; query: describe {qualified(mart)}" if problems else ""


def _check_rows(cursor: duckdb.DuckDBPyConnection, mart: str, relation: str, row_number: str, threads: int) -> Rule:
    key = DBT_MARTS[mart].key
    rows_by_rule: Counter[str] = Counter()
    checked = failing = 0
    examples: list[dict[str, object]] = []
    description = "every row keeps the rules of the contract"
    names = ", ".join(column.name for column in columns(mart))
    cursor.execute(f"select {names}, {row_number} as {_ROW_NUMBER} from {relation}")
    batches = map(pl.DataFrame, cursor.to_arrow_reader(BATCH_ROWS))
    for batch, broken in _checked_in_order(mart, batches, threads):
        checked += len(batch)
        if broken is not None:
            rows_by_rule.update(dict(broken.group_by("rule").len().iter_rows()))
            failing_rows = broken["index"].unique().sort()
            failing += len(failing_rows)
            examples += batch[failing_rows.head(MAX_EXAMPLES - len(examples))].select(*key, _ROW_NUMBER).to_dicts()
    if not failing:
        return Rule(description, passed=True, checked_rows=checked, failing_rows=0)
    broken_rules = ", ".join(f"{rule} ({count})" for rule, count in sorted(rows_by_rule.items()))
    numbers = ", ".join(str(row.pop(_ROW_NUMBER)) for row in examples)
    where = f" where {_ROW_NUMBER} in ({numbers})" if row_number.isidentifier() else ""
    message = (
        f"{failing} rows break rules: {broken_rules}; {name_rows(examples, failing)}; "
        f"query: select * from {qualified(mart)}{where}"
    )
    return Rule(description, False, message, checked, failing, _keys(examples))


def _checked_in_order(
    mart: str, batches: Iterable[pl.DataFrame], threads: int
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame | None]]:
    """Each batch with the rules that its rows break, in order. As many are checked at once as there are threads, and no more
    are in memory.
    """
    threads = min(threads, MOST_BATCHES_AT_ONCE)
    with ThreadPoolExecutor(threads, thread_name_prefix="contracts") as pool:
        checked: deque[Future[tuple[pl.DataFrame, pl.DataFrame | None]]] = deque()
        for batch in batches:
            checked.append(pool.submit(_broken_rules, mart, batch))
            if len(checked) == threads:
                yield checked.popleft().result()
        while checked:
            yield checked.popleft().result()


def _broken_rules(mart: str, batch: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """A batch with the rules that its rows break, as `_rules_by_row` gives them; None if there are none."""
    try:
        DBT_MARTS[mart].contract.to_schema().validate(batch.drop(_ROW_NUMBER), lazy=True)
    except SchemaErrors as errors:
        return batch, _rules_by_row(errors)
    return batch, None


def _keys(rows: list[dict[str, object]]) -> tuple[dict[str, str], ...]:
    return tuple({column: format_value(column, value) for column, value in row.items()} for row in rows)


def _rules_by_row(errors: SchemaErrors) -> pl.DataFrame:
    """Which rules the rows of a batch break: columns `index` (of the row in the batch) and `rule`."""
    cases: pl.DataFrame = errors.failure_cases
    if cases["index"].has_nulls():
        first = cases.filter(pl.col("index").is_null()).row(0, named=True)
        raise RuntimeError(f"check {first['check']} of {first['column']} failed without naming a row")
    rule = pl.col("check").replace("not_nullable", "must not be null")
    return cases.select("index", rule=pl.concat_str("column", pl.lit(": "), rule)).unique()


def _check_keys(cursor: duckdb.DuckDBPyConnection, mart: str, relation: str) -> Rule:
    key = DBT_MARTS[mart].key
    listed = ", ".join(key)
    description = f"no two rows have the same {listed}"
    repeated_hashes = f"select hash({listed}) from {relation} group by 1 having count(*) > 1"
    if cursor.execute(f"{repeated_hashes} limit 1").fetchone() is None:
        return Rule(description, passed=True)
    repeated = (
        f"select {listed}, count(*) as count from {relation} "
        f"where hash({listed}) in ({repeated_hashes}) group by all having count(*) > 1"
    )
    ((keys, failing),) = cursor.execute(f"select count(*), sum(count) from ({repeated})").fetchall()
    if not keys:
        return Rule(description, passed=True)
    first_keys = cursor.execute(f"{repeated} order by all limit {MAX_EXAMPLES}").fetchall()
    examples = [dict(zip(key, row, strict=False)) for row in first_keys]
    message = (
        f"{failing} rows share {keys} keys ({listed}); {name_rows(examples, keys)}; "
        f"query: select {listed}, count(*) from {qualified(mart)} group by all having count(*) > 1"
    )
    return Rule(description, False, message, None, failing, _keys(examples))
