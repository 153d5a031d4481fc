"""The check of a mapping's SQL expressions: each is a function of one record, and of nothing else.

DuckDB parses an expression. Every node of the parsed tree must be of a class that is listed here, and every function a
deterministic scalar function of DuckDB, or one of ours. So a mapping has no way to write a subquery, an aggregate or a table
function. The connection that evaluates it is locked besides: it has no access to files, the network or settings.

Not here: the functions of ours (`functions`), the evaluation of a mapping (`mapper`).
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import duckdb

from models.enums import Log
from models.source_mapping import SourceMapping
from warehouse.ingest.sources.functions import FUNCTIONS

MEMORY_LIMIT = "1GB"
"""For one batch. DuckDB does not count every string, so functions that repeat or widen a value are forbidden or limited."""

_CLASSES = {
    "CONSTANT", "COLUMN_REF", "FUNCTION", "CASE", "CAST", "COMPARISON", "CONJUNCTION", "OPERATOR", "BETWEEN", "LAMBDA",
}  # fmt: skip
_MACROS_OF_DUCKDB = {
    "nullif", "split_part", "array_to_string", "list_sum", "list_min", "list_max", "list_first", "list_last", "list_count",
    "list_string_agg", "list_append", "list_reverse", "days_in_month", "round_even",
}  # fmt: skip
_FORBIDDEN = {
    "current_setting", "getvariable", "version", "current_localtime", "current_localtimestamp", "age", "unnest",
    "repeat", "range", "row", "list_resize", "array_resize", "bitstring", "format", "printf",
    "equi_width_bins", "json_pretty",
    "json_serialize_plan", "json_serialize_sql", "json_deserialize_sql", "parse_duckdb_log_message",
}  # fmt: skip
_PADDING = {"lpad", "rpad"}
MAX_PADDED_LENGTH = 1_000
_ZONE_ARGUMENTS = {"from_local": 1, "timezone": 0}
"""The position of the time zone among the arguments; `AT TIME ZONE` is the function `timezone`."""
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UNQUOTED_NAME = re.compile(r"\w+(?:[ .:#/-]+\w+)+")
_KEYWORDS = {"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp", "user", "session_user"}


class InvalidExpression(ValueError):
    """An expression is no SQL, or does something that a mapping may not."""


def locked_connection() -> duckdb.DuckDBPyConnection:
    """A connection with our functions, on an empty database in memory, that reaches nothing outside and stays so."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "enable_external_access": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "memory_limit": MEMORY_LIMIT,
            "max_temp_directory_size": "0B",
            "threads": "1",
        },
    )
    for function in FUNCTIONS:
        connection.execute(function.statement)
    # Replacement scans would find Python variables by the name of a table.
    connection.execute("set TimeZone = 'UTC'; set python_enable_replacements = false; set lock_configuration = true")
    return connection


@cache
def _checker() -> duckdb.DuckDBPyConnection:
    return locked_connection()


@cache
def _allowed_functions() -> frozenset[str]:
    """The names of the functions that have no side effect, and the same result for the same record."""
    rows = _checker().execute("select function_name, function_type, stability from duckdb_functions()").fetchall()
    scalar = {name for name, kind, stability in rows if kind == "scalar" and stability == "CONSISTENT"}
    other = {name for name, kind, stability in rows if kind != "scalar" or stability != "CONSISTENT"}
    ours = {function.name for function in FUNCTIONS}
    return frozenset((scalar - other - _FORBIDDEN) | _MACROS_OF_DUCKDB | ours)


def fields_of(expression: str) -> frozenset[str]:
    """The fields of a record that an expression names.

    Raises:
        InvalidExpression: it is no SQL expression over one record.
    """
    try:
        # On a line of its own, so that a comment cannot hide the parenthesis.
        (parsed,) = _parsed(f"select (\n{expression}\n)", 1, "EMPTY")
    except InvalidExpression as error:
        if _WORD.fullmatch(expression.strip()):
            word = expression.strip()
            raise InvalidExpression(
                f"{word} is an SQL keyword; for the field of this name write '\"{word}\"'"
            ) from error
        raise
    return frozenset(_fields(parsed, frozenset()))


def fields_of_log(mapping: SourceMapping, log: Log) -> frozenset[str]:
    """The fields that the expressions of a log name. Raises InvalidExpression."""
    texts = [*mapping.logs[log].columns.values(), mapping.logs[log].where]
    return frozenset(field for text in texts if text for field in fields_of(text))


def check_statement(statement: str, columns: int) -> None:
    """Checks the statement that is composed of a mapping's expressions: one select from one table, with so many columns."""
    for node in _parsed(statement, columns, "BASE_TABLE"):
        list(_fields(node, frozenset()))


def _parsed(statement: str, columns: int, table_type: str) -> list[dict[str, Any]]:
    """The expressions of a statement, which must be a plain select of so many columns."""
    (text,) = _checker().execute("select json_serialize_sql(?::varchar)", [statement]).fetchone() or ("",)
    parsed = json.loads(text)
    if parsed["error"]:
        raise InvalidExpression(f"is no SQL expression: {parsed['error_message']}")
    nodes = [parsed_statement["node"] for parsed_statement in parsed["statements"]]
    if len(nodes) != 1 or nodes[0]["type"] != "SELECT_NODE":
        raise InvalidExpression("must be one expression")
    (node,) = nodes
    expressions: list[dict[str, Any]] = node["select_list"]
    where = node.pop("where_clause")
    is_plain = (
        node["from_table"]["type"] == table_type
        and not node["cte_map"]["map"]
        and not any(node[key] for key in ("modifiers", "group_expressions", "group_sets", "having", "sample", "qualify"))
    )  # fmt: skip
    if not is_plain or len(expressions) != columns or (where is not None and table_type == "EMPTY"):
        raise InvalidExpression("must be one expression")
    return expressions if where is None else [*expressions, where]


def _fields(node: Any, parameters: frozenset[str], *, is_list_argument: bool = False) -> Iterator[str]:
    """The fields in a parsed expression; `parameters` are those of the lambdas around it."""
    if isinstance(node, list):
        for item in node:
            yield from _fields(item, parameters)
        return
    if not isinstance(node, dict):
        return
    kind = node.get("class")
    if kind is None:
        for value in node.values():
            yield from _fields(value, parameters)
        return
    if kind not in _CLASSES:
        raise InvalidExpression(_REASONS.get(kind, f"may not hold {kind.lower().replace('_', ' ')}"))
    if kind == "CONSTANT":
        return
    if kind == "COLUMN_REF":
        names = node["column_names"]
        if len(names) > 1:
            raise InvalidExpression(f"{'.'.join(names)}: a field is text; use ->> for a key within JSON")
        if names[0].lower() in _KEYWORDS and names[0] not in parameters:
            raise InvalidExpression(f"may not use {names[0]}: a mapping depends on the record alone")
        if names[0] not in parameters:
            yield names[0]
        return
    if kind == "LAMBDA":
        # An arrow that is no argument of a function of lists is the operator of JSON.
        if is_list_argument:
            names = node["lhs"].get("children") or [node["lhs"]]
            parameters |= {name for parameter in names for name in _fields(parameter, frozenset())}
        else:
            yield from _fields(node["lhs"], parameters)
        yield from _fields(node["expr"], parameters)
        return
    if kind == "FUNCTION":
        name = node["function_name"].lower()
        if node["schema"] not in ("", "main") or node["catalog"] or name not in _allowed_functions():
            raise InvalidExpression(
                f"may not call {name}(): only scalar functions of one record (docs/sources/README.md)"
            )
        if node["filter"] or node["distinct"] or node["order_bys"]["orders"]:
            raise InvalidExpression(f"{name}(): may not aggregate")
        if name in _ZONE_ARGUMENTS:
            _check_zone(name, node["children"][_ZONE_ARGUMENTS[name] :][:1])
        if name in _PADDING and not _is_short(node["children"][1:2]):
            raise InvalidExpression(f"{name}(): the length must be a number, at most {MAX_PADDED_LENGTH:,}")
        for child in node["children"]:
            yield from _fields(child, parameters, is_list_argument=name.startswith(("list_", "array_")))
        return
    for value in node.values():
        yield from _fields(value, parameters)


def _check_zone(function: str, zones: list[dict[str, Any]]) -> None:
    """InvalidExpression if a time zone is written as a constant that DuckDB does not know."""
    for zone in zones:
        name = zone["value"].get("value") if zone["class"] == "CONSTANT" else None
        try:
            if isinstance(name, str):
                _checker().execute("select timezone(?, timestamp '2000-01-01')", [name])
        except duckdb.NotImplementedException as error:
            raise InvalidExpression(
                f"{function}(): {name} is no time zone of the IANA database, such as Europe/Berlin"
            ) from error


def _is_short(lengths: list[dict[str, Any]]) -> bool:
    """Whether a length is written as a number, so that no record can ask for more memory."""
    return all(
        length["class"] == "CONSTANT"
        and isinstance(length["value"].get("value"), int)
        and length["value"]["value"] <= MAX_PADDED_LENGTH
        for length in lengths
    )


_REASONS = {
    "SUBQUERY": "may not hold a subquery: a mapping sees one record",
    "WINDOW": "may not hold a window function: a mapping sees one record",
    "STAR": "may not hold *: name the fields",
    "PARAMETER": "may not hold a parameter",
}


def check_expressions(mapping: SourceMapping) -> None:
    """Binds every expression to records of text.

    Raises:
        InvalidExpression: an expression has the wrong types, or gives JSON, a list or a struct where text or a number is
            needed. The message begins with the key.
    """
    for log, log_mapping in mapping.logs.items():
        expressions = {f"logs.{log}.columns.{column}": text for column, text in log_mapping.columns.items()}
        if log_mapping.where is not None:
            expressions[f"logs.{log}.where"] = log_mapping.where
        for key, expression in expressions.items():
            try:
                kind = type_of(expression)
            except InvalidExpression as error:
                raise InvalidExpression(f"{key}: {error}{_quoting_hint(expression)}") from error
            except duckdb.Error as error:
                message = str(error).splitlines()[0]
                raise InvalidExpression(f"{key}: {message}{_quoting_hint(expression)}") from error
            is_condition = key.endswith(".where")
            if is_condition and kind != "BOOLEAN":
                raise InvalidExpression(f"{key}: must be a condition, not {kind}")
            if not is_condition and not _is_scalar(kind):
                hint = "; use ->> for the text of a key" if kind == "JSON" else ""
                raise InvalidExpression(f"{key}: gives {kind}, not text or a number{hint}")


def _quoting_hint(expression: str) -> str:
    """What to write if the text looks like a field with a space or another character in its name, such as `err-code`."""
    name = expression.strip()
    return f"; for the field of this name write '\"{name}\"'" if _UNQUOTED_NAME.fullmatch(name) else ""


def type_of(expression: str) -> str:
    """The DuckDB type that an expression gives. Raises InvalidExpression, or an error of DuckDB if no such type exists."""
    columns = ", ".join(f"null::varchar as {quoted(field)}" for field in sorted(fields_of(expression))) or "1"
    statement = f"select typeof((\n{expression}\n)) from (select {columns}) as records"
    (kind,) = _checker().execute(statement).fetchone() or ("",)
    return str(kind)


def _is_scalar(kind: str) -> bool:
    """Whether a value of a DuckDB type is text, a number or a time."""
    is_nested = kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION"))
    return not is_nested and kind not in ("JSON", "BLOB", "BIT", "VARIANT")


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
