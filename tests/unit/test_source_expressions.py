"""Mappings' SQL: what an expression may hold, how it is kept from breaking out, and the functions of ours."""

import duckdb
import pytest

from warehouse.ingest.sources.expressions import InvalidExpression, check_statement, fields_of, locked_connection
from warehouse.ingest.sources.functions import FUNCTIONS


@pytest.mark.parametrize(
    ("expression", "fields"),
    [
        ("sid", {"sid"}),
        ('"to" || from_number', {"to", "from_number"}),
        ("tags ->> '$.campaign'", {"tags"}),
        ("json_extract_string(tags -> '$.a', '$.b')", {"tags"}),
        ("nullif(error_code, '0')", {"error_code"}),
        ("case when a like 'x%' then b else coalesce(c, '1') end", {"a", "b", "c"}),
        ("list_transform(from_json(x, '[\"varchar\"]'), lambda e: e || y)[1]", {"x", "y"}),
        ("cast(a as decimal(18, 2)) * 2", {"a"}),
        ("from_local(a, 'Europe/Berlin')", {"a"}),
        ("lpad(a, 8, '0') || rpad(b, 1000, ' ')", {"a", "b"}),
        ("a -- a comment", {"a"}),
        ("'USD'", set()),
    ],
)
def test_the_fields_of_an_expression(expression, fields):
    assert fields_of(expression) == fields


@pytest.mark.parametrize(
    "expression",
    [
        "(select 1)",
        "(select a from records)",
        "exists (select 1)",
        "a in (select 1)",
        "(from read_text('/etc/passwd'))",
        "read_text('/etc/passwd')",
        "read_csv('/etc/passwd')",
        "read_blob('/etc/passwd')",
        "glob('/*')",
        "query('select 1')",
        "query_table('records')",
        "getenv('HOME')",
        "current_setting('memory_limit')",
        "getvariable('x')",
        "sum(a)",
        "count(*)",
        "count(distinct a)",
        "first(a order by b)",
        "list(a)",
        "string_agg(a, ',')",
        "row_number() over ()",
        "sum(a) over ()",
        "unnest([a, b])",
        "generate_series(1, 1000000000)",
        "range(1000000000)",
        "repeat('x', 1000000000)",
        "lpad(a, 1000000000, '0')",
        "rpad(a, 1001, ' ')",
        "lpad(a, cast(b as integer), '0')",
        "rpad(a, 10 * 1000000, ' ')",
        "lpad(a, '1000000000', '0')",
        "format('{:>1000000000}', a)",
        "format('{:>{}}', a, 1000000000)",
        "printf('%1000000000d', 1)",
        "bitstring(a, 1000000000)",
        "equi_width_bins(0, 10, cast(a as bigint), true)",
        "json_pretty(a)",
        "from_local(a, 'Europe/Berln')",
        "cast(a as timestamp) at time zone 'Europe/Berln'",
        "list_resize([a], 1000000000)",
        "random()",
        "uuid()",
        "now()",
        "today()",
        "current_date",
        "current_timestamp",
        "version()",
        "nextval('x')",
        "write_log('x')",
        "json_execute_serialized_sql('x')",
        "json_serialize_sql('select 1')",
        "duckdb_settings()",
        "pg_sleep(1)",
        "sleep_ms(1)",
        "system.main.sum(a)",
        "records.a",
        "*",
        "columns('a')",
        "$1",
        "?",
        "#1",
        "default",
        "a, b",
        "a from other",
        "1) from other where (true",
        "1) where (true",
        "1) group by (a",
        "1) having (true",
        "1) order by (1",
        "1) limit (1",
        "1), (2",
        "1) union all select (1",
        "1); select (1",
        "1); copy records to '/tmp/x'; select (1",
        "1); attach '/tmp/x.duckdb'; select (1",
        "1); install httpfs; select (1",
        "1); set memory_limit = (1",
        "1) qualify (true",
        "1) using sample (1",
        "1) --",
        "1) /*",
        "",
        ";",
        "'",
        "drop table records",
        "pragma version",
    ],
)
def test_an_expression_of_more_than_a_record_is_refused(expression):
    with pytest.raises(InvalidExpression):
        fields_of(expression)


def test_the_composed_statement_is_a_select_of_one_table():
    check_statement("select a, b from records where (a = '1')", 2)
    for statement in (
        "select a from records, others",
        "select a from read_text('/etc/passwd')",
        "select a from (select 1 as a)",
        "with records as (select 1 as a) select a from records",
        "select a, b from records",
        "select a from records where (select true)",
        "select a from records; drop table records",
    ):
        with pytest.raises(InvalidExpression):
            check_statement(statement, 1)


@pytest.mark.parametrize(
    "statement",
    [
        "from read_text('/etc/passwd')",
        "from '/etc/passwd'",
        "from read_csv('https://example.com/x.csv')",
        "from glob('/*')",
        "copy (select 1) to '/tmp/sendmart-must-not-exist.csv'",
        "attach '/tmp/sendmart-must-not-exist.duckdb'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "set memory_limit = '8GB'",
        "reset memory_limit",
        "set lock_configuration = false",
        "set temp_directory = '/tmp'",
        "from a_python_variable",
    ],
)
def test_the_connection_reaches_nothing_outside(statement):
    a_python_variable = duckdb.sql("select 1 as secret").arrow()
    assert a_python_variable is not None
    with locked_connection() as connection, pytest.raises(duckdb.Error):
        connection.execute(statement).fetchall()


def evaluate(expression):
    with locked_connection() as connection:
        return connection.execute(f"select cast({expression} as varchar)").fetchone()[0]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("e164('14155550100')", "+14155550100"),
        ("e164('+1 (415) 555-01.00')", "+14155550100"),
        ("e164('0049 171/1234567')", "+491711234567"),
        ("e164('0171 1234567', '+49')", "+491711234567"),
        ("e164('171 1234567', '+49')", "+491711234567"),
        ("e164('+44 7700 900123', '+49')", "+447700900123"),
        ("e164('(0171) 1234567', '+49')", "+491711234567"),
        ("e164('')", None),
        ("from_epoch_s('1767600000')", "2026-01-05T08:00:00.000000Z"),
        ("from_epoch_s('1767600000.25')", "2026-01-05T08:00:00.250000Z"),
        ("from_epoch_s(1767600000)", "2026-01-05T08:00:00.000000Z"),
        ("from_epoch_ms('1767600000123')", "2026-01-05T08:00:00.123000Z"),
        ("from_epoch_ms('1767600000123.0')", "2026-01-05T08:00:00.123000Z"),
        ("from_rfc2822('Mon, 05 Jan 2026 12:30:00 +0130')", "2026-01-05T11:00:00Z"),
        ("from_rfc2822('5 Jan 2026 12:30:00 GMT')", "2026-01-05T12:30:00Z"),
        ("from_local('2026-07-01 12:00', 'Europe/Berlin')", "2026-07-01T10:00:00.000000Z"),
        ("from_local('2026-01-05T12:00:00.5', 'America/New_York')", "2026-01-05T17:00:00.500000Z"),
        ("from_local('2026-03-29 01:59:59', 'Europe/Berlin')", "2026-03-29T00:59:59.000000Z"),
        ("from_local('2026-03-29 03:00:00', 'Europe/Berlin')", "2026-03-29T01:00:00.000000Z"),
        ("from_local('2026-10-25 03:00:00', 'Europe/Berlin')", "2026-10-25T02:00:00.000000Z"),
        ("from_local('2026-04-05 02:30:00', 'Australia/Lord_Howe')", "2026-04-04T16:00:00.000000Z"),
        ("from_local(strptime('05.01.2026 10:00', '%d.%m.%Y %H:%M'), 'Europe/Berlin')", "2026-01-05T09:00:00.000000Z"),
        ("abs_decimal('-0.00750')", "0.00750"),
        ("abs_decimal('0.1')", "0.1"),
        ("abs_decimal('-.5')", ".5"),
        ("abs_decimal('- 1')", "- 1"),
        ("times('0.0105', '2')", "0.021"),
        ("times('-1.5', '1.5')", "-2.25"),
        ("times('10', '10')", "100"),
        ("times('7.5e-05', '2')", "0.00015"),
        ("times('2', '-1.25E+2')", "-250"),
        ("times('10e-10', '1e9')", "1"),
        ("times('12345.678e2', '1')", "1234567.8"),
        ("times('0000000000012.50000000000', '2')", "25"),
        ("times('9999999999.999999999', '9999999999.999999999')", "99999999999999999980.000000000000000001"),
        ("plain('30003.0')", "30003"),
        ("plain('30003.00')", "30003"),
        ("plain('30003.10')", "30003.10"),
        ("plain('absent')", "absent"),
    ],
)
def test_functions(expression, value):
    assert evaluate(expression) == value


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("from_epoch_s('1767600000000')", "must be seconds since 1970"),
        ("from_epoch_s('soon')", "must be seconds since 1970"),
        ("from_epoch_ms('1.5')", "must be milliseconds since 1970"),
        ("from_rfc2822('2026-01-05')", "must be a date of RFC 2822"),
        ("from_local('2026-03-29 02:30:00', 'Europe/Berlin')", "does not exist in Europe/Berlin"),
        ("from_local('2026-10-25 02:30:00', 'Europe/Berlin')", "is two times in Europe/Berlin"),
        ("from_local('2026-04-05 01:45:00', 'Australia/Lord_Howe')", "is two times in Australia/Lord_Howe"),
        ("from_local('2026-01-05 10:00:00Z', 'Europe/Berlin')", "without an offset"),
        ("from_local('05.01.2026', 'Europe/Berlin')", "must be YYYY-MM-DD HH:MM"),
        ("from_local('2026-02-30 10:00', 'Europe/Berlin')", "out of range"),
        ("from_local('2026-01-05 24:00:00', 'Europe/Berlin')", "must be YYYY-MM-DD HH:MM"),
        ("from_local('2026-01-05 10:00:00', 'Europe/' || 'Kyjiw')", "must be in a time zone of the IANA database"),
        ("from_local('2026-01-05 10:00:00', '')", "must be in a time zone of the IANA database"),
        ("from_rfc2822('Mon, 05 Jan 2026 12:30:00 +0199')", "must be a date of RFC 2822"),
        ("from_rfc2822('Mon, 05 Jan 2026 12:30:00 +2400')", "must be a date of RFC 2822"),
        ("e164('+49 (0) 171 1234567')", r"must be a number without \(0\)"),
        ("e164('0049(0)171 1234567', '+49')", r"must be a number without \(0\)"),
        ("e164('491711234567', '+49')", "must be a number with ., 00 or 0 before it: it begins like .49"),
        ("times('1e10', '2')", "must be two decimal numbers"),
        ("times('1e-10', '2')", "must be two decimal numbers"),
        ("times('1e', '2')", "must be two decimal numbers"),
        ("times('2', '1e1000')", "must be two decimal numbers"),
        ("times('1', '0.0000000001')", "must be two decimal numbers"),
    ],
)
def test_what_cannot_be_read_in_one_way_is_an_error(expression, fault):
    with pytest.raises(duckdb.Error, match=fault):
        evaluate(expression)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_a_null_gives_a_null(function):
    required = [name for name in function.parameters if ":=" not in name]
    arguments = ["null", *("'Europe/Berlin'" if name == "zone" else "'1'" for name in required[1:])]
    assert evaluate(f"{function.name}({', '.join(arguments)})") is None
