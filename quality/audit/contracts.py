"""Holds the rows of every mart of a candidate build to the mart's contract: columns, types, rules, keys.

All rows, or those that are given for a mart: who calls knows which were looked at before. They are read as Arrow in
batches of bounded size, so that memory does not grow with the mart; keys are compared by hash, and in full only where two
hashes are the same.

Not here: the contracts (`models.marts`), sums between marts and anything else that takes more than a row to be seen
(`quality.audit.expectations`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import duckdb
import polars as pl
from pandera.errors import SchemaErrors

from models.check_results import CheckResult, Rule
from models.marts import DBT_MARTS, columns
from quality.audit.formatting import MOST_NAMED, error_text, in_candidate, named, shown, some_of

BATCH_ROWS = 500_000

_ROW_NUMBER = "rowid"
"""DuckDB's own number of a row: it names a row in a query without telling anything of it."""


@dataclass(frozen=True)
class _Rows:
    """The rows of a mart that are looked at: in what relation, and what numbers them; views on rows that lie elsewhere have
    no column that does.
    """

    relation: str
    number: str


class _ContractFault(Exception):
    """A rule could not be carried out, so that nothing can be said of the mart."""


def check_contracts(
    connection: duckdb.DuckDBPyConnection,
    schema: str,
    rows: Mapping[str, str] = MappingProxyType({}),
    row_number: str = _ROW_NUMBER,
) -> list[CheckResult]:
    """One blocking result per mart, `contract_<mart>`.

    Args:
        connection: a connection that sees the candidate; it is left as it is.
        schema: where the marts are, such as `candidate.marts`.
        rows: by mart, a relation with the rows to look at, where these are not all of it.
        row_number: the column of such a relation that holds the row's number in the mart.
    """
    results = []
    for mart in DBT_MARTS:
        try:
            # A cursor of its own: whatever happens to it, the next mart is read by another.
            with connection.cursor() as cursor:
                looked_at = _Rows(rows[mart], row_number) if mart in rows else _all_rows(cursor, schema, mart)
                rules = _rules(cursor, schema, mart, looked_at)
        # Whatever it is, the mart has not been checked. (A panic of polars is no Exception.)
        except (Exception, pl.exceptions.PanicException) as error:
            rules = [Rule("the contract is kept", passed=False, found=f"could not be checked: {error_text(error)}")]
        faults = "\n".join(rule.found for rule in rules if not rule.passed)
        results.append(
            CheckResult(f"contract_{mart}", is_blocking=True, passed=not faults, detail=faults, rules=(*rules,))
        )
    return results


def _all_rows(cursor: duckdb.DuckDBPyConnection, schema: str, mart: str) -> _Rows:
    is_view = cursor.execute(
        "select 1 from duckdb_views() where database_name || '.' || schema_name = ? and view_name = ?", [schema, mart]
    ).fetchone()
    return _Rows(f"{schema}.{mart}", "row_number() over ()" if is_view else _ROW_NUMBER)


def _rules(cursor: duckdb.DuckDBPyConnection, schema: str, mart: str, rows: _Rows) -> list[Rule]:
    """What a mart was held to, and what is wrong with it."""
    wrong = _wrong_columns(cursor, schema, mart)
    columns = Rule("columns are those of the contract, in name, type and order", passed=not wrong, found=wrong)
    if wrong:
        # Rules are written for the contract's columns and types: they say nothing of others.
        return [columns]
    return [columns, _broken_rules(cursor, schema, mart, rows), _repeated_keys(cursor, schema, mart, rows)]


def _wrong_columns(cursor: duckdb.DuckDBPyConnection, schema: str, mart: str) -> str:
    try:
        described = cursor.execute(f"describe {schema}.{mart}").fetchall()
    except duckdb.CatalogException:
        return f"table {in_candidate(schema, mart)} is missing"
    found = {name: sql_type.lower() for name, sql_type, *_ in described}
    wanted = {column.name: column.sql_type for column in columns(mart)}
    faults = [f"column {name} is missing" for name in wanted if name not in found]
    faults += [f"column {name} is not in the contract" for name in found if name not in wanted]
    faults += [
        f"column {name} is {found[name]}, not {sql_type}"
        for name, sql_type in wanted.items()
        if found.get(name, sql_type) != sql_type
    ]
    if not faults and list(found) != list(wanted):
        faults.append(f"columns are not in the order {', '.join(wanted)}")
    return f"{'; '.join(faults)}; look: describe {in_candidate(schema, mart)}" if faults else ""


def _broken_rules(cursor: duckdb.DuckDBPyConnection, schema: str, mart: str, rows: _Rows) -> Rule:
    contract, key = DBT_MARTS[mart].contract.to_schema(), DBT_MARTS[mart].key
    rows_breaking: Counter[str] = Counter()
    looked_at = failing = 0
    examples: list[dict[str, object]] = []
    says = "every row keeps the rules of the contract"
    for batch in _batches(cursor, mart, rows):
        looked_at += len(batch)
        try:
            contract.validate(batch.drop(_ROW_NUMBER), lazy=True)
        except SchemaErrors as errors:
            broken = _rules_by_row(errors)
            rows_breaking.update(dict(broken.group_by("rule").len().iter_rows()))
            places = broken["index"].unique().sort()
            failing += len(places)
            examples += batch[places.head(MOST_NAMED - len(examples))].select(*key, _ROW_NUMBER).to_dicts()
    if not failing:
        return Rule(says, passed=True, looked_at=looked_at, failing=0)
    broken_rules = ", ".join(f"{rule} ({rows})" for rule, rows in sorted(rows_breaking.items()))
    numbers = ", ".join(str(row.pop(_ROW_NUMBER)) for row in examples)
    where = f" where {_ROW_NUMBER} in ({numbers})" if rows.number.isidentifier() else ""
    found = (
        f"{failing} rows break rules: {broken_rules}; {some_of(failing, len(examples))}{named(examples)}; "
        f"look: select * from {in_candidate(schema, mart)}{where}"
    )
    return Rule(says, False, found, looked_at, failing, _keys(examples))


def _keys(rows: list[dict[str, object]]) -> tuple[dict[str, str], ...]:
    return tuple({column: shown(column, value) for column, value in row.items()} for row in rows)


def _batches(cursor: duckdb.DuckDBPyConnection, mart: str, rows: _Rows) -> Iterator[pl.DataFrame]:
    names = ", ".join(column.name for column in columns(mart))
    found = cursor.execute(f"select {names}, {rows.number} as {_ROW_NUMBER} from {rows.relation}")
    for batch in found.to_arrow_reader(BATCH_ROWS):
        yield pl.DataFrame(batch)


def _rules_by_row(errors: SchemaErrors) -> pl.DataFrame:
    """Which row of the batch (`index`) breaks which rule."""
    cases = errors.failure_cases
    if cases["index"].has_nulls():
        first = cases.filter(pl.col("index").is_null()).row(0, named=True)
        raise _ContractFault(f"check {first['check']} of {first['column']} says of no row in particular that it failed")
    rule = pl.col("check").replace("not_nullable", "must not be null")
    return cases.select("index", rule=pl.concat_str("column", pl.lit(": "), rule)).unique()


def _repeated_keys(cursor: duckdb.DuckDBPyConnection, schema: str, mart: str, rows: _Rows) -> Rule:
    key = DBT_MARTS[mart].key
    listed = ", ".join(key)
    says = f"no two rows have the same {listed}"
    hashes = f"select hash({listed}) from {rows.relation} group by 1 having count(*) > 1"
    if cursor.execute(f"{hashes} limit 1").fetchone() is None:
        return Rule(says, passed=True)
    repeats = (
        f"select {listed}, count(*) from {rows.relation} "
        f"where hash({listed}) in ({hashes}) group by all having count(*) > 1"
    )
    keys, failing = cursor.execute(
        f"select count(*), sum(count) from ({repeats}) as repeated({listed}, count)"
    ).fetchone()
    if not keys:
        return Rule(says, passed=True)
    found = cursor.execute(f"{repeats} order by all limit {MOST_NAMED}").fetchall()
    examples = [dict(zip(key, row, strict=False)) for row in found]
    look = f"select {listed}, count(*) from {in_candidate(schema, mart)} group by all having count(*) > 1"
    told = f"{failing} rows share {keys} keys ({listed}); {some_of(keys, len(examples))}{named(examples)}; look: {look}"
    return Rule(says, False, told, None, failing, _keys(examples))
