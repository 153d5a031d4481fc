"""The baseline: the same job written by hand, with DuckDB and nothing else.

`admit` reads csv.gz files and writes typed Parquet by log and log date, and a quarantine with the reasons. `build` computes
every mart from there (`rules.sql`, `marts.sql`), always from all rows; on request the insights, too (`insight_rules.sql`,
`insights.sql`, `insights_of_orders.sql`). The rules are written a second time on purpose: both figures must be equal.

`README.md` says what the baseline leaves out. Not here: what is measured (`harness`).
"""

import gzip
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import duckdb

from warehouse.config import PROJECT, Settings
from warehouse.duckdb_tools import fetch_value, literal

SEEDS = PROJECT / "dbt_project" / "seeds"
VOCABULARY = {"vocabulary": "provider_vocabularies.csv"}
INSIGHT_SEEDS = {
    "prefixes": "insights/number_prefixes.csv",
    "reasons": "insights/failure_reasons.csv",
    "bot_patterns": "insights/bot_user_agents.csv",
}
MART_SQL = ("rules.sql", "marts.sql")
INSIGHT_SQL = ("rules.sql", "insight_rules.sql", "marts.sql", "insights.sql", "insights_of_orders.sql")
"""The statements of a build, in order."""
BOT_CONDITION = "{user_agent is that of a bot}"
"""Stands in the SQL for a condition that names all patterns of bots."""

TABLES, MARTS = "tables.duckdb", "marts.duckdb"
"""The files with the tables between the logs and the marts, and with the marts."""

SPACES = (r"\x20", r"\t", r"\n", r"\x0b", r"\x0c", r"\r")
SPACE = "".join(SPACES)
E164 = r"\+[1-9][0-9]{6,14}"
DAY = r"(?:199[0-9]|20[0-9]{2})-[0-9]{2}-[0-9]{2}"
HOUR_MINUTE = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
SECONDS = r":[0-5][0-9](?:\.[0-9]{1,6})?"
AT_UTC = rf"{DAY}[T ]{HOUR_MINUTE}{SECONDS}(?:Z|[+-]00:?00)?"
ANYWHERE = (
    rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ]{HOUR_MINUTE}(?:{SECONDS})?"
    r"(?:Z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?"
)


@dataclass(frozen=True)
class TextFormat:
    """A type of the logs: the SQL that converts a text `{0}`, null if the text breaks the rule; and the rule in words."""

    sql: str
    rule: str


def _matching(pattern: str, then: str) -> str:
    return f"case when regexp_full_match({{0}}, '{_braced(pattern)}') then {then} end"


def _braced(pattern: str) -> str:
    return pattern.replace("{", "{{").replace("}", "}}")


def _decimal(precision: int, scale: int) -> TextFormat:
    whole = precision - scale
    pattern = rf"[+-]?(?:0*[0-9]{{1,{whole}}}(?:\.[0-9]{{0,{scale}}}0*)?|0*\.[0-9]{{1,{scale}}}0*)"
    return TextFormat(
        _matching(pattern, f"try_cast({{0}} as decimal({precision}, {scale}))"),
        f"must be a plain decimal number with at most {whole} digits before the point and {scale} after it",
    )


ID = TextFormat("case when strlen({0}) <= 128 or length({0}) <= 128 then {0} end", "must be 1 to 128 characters")
STRING = TextFormat("{0}", "must be text")
CURRENCY = TextFormat(_matching("[A-Za-z]{3}", "upper({0})"), "must be three ASCII letters")
CAMPAIGN_TYPE = TextFormat(_matching("[SsMm][Mm][Ss]", "upper({0})"), "must be SMS or MMS")
INTEGER = TextFormat(
    _matching("[+-]?0*[0-9]{1,10}", "try_cast(ltrim({0}, '+') as integer)"),
    "must be a whole number of 32 bits, in digits",
)
DATE = TextFormat(_matching("[0-9]{4}-[0-9]{2}-[0-9]{2}", "try_cast({0} as date)"), "must be a real date YYYY-MM-DD")
# A cast to TIMESTAMP is fast, but silently drops an offset: for UTC only. Other offsets are cast to TIMESTAMPTZ.
TIMESTAMP = TextFormat(
    f"case when regexp_full_match({{0}}, '{_braced(AT_UTC)}') then try_cast({{0}} as timestamp)"
    f" when regexp_full_match({{0}}, '{_braced(ANYWHERE)}') then in_range(try_cast(regexp_replace({{0}},"
    r" '^(.{{16}})([Z+-].*)?$', '\1:00\2') as timestamptz) at time zone 'UTC') end",
    "must be a real moment from 1990 to 2099, as YYYY-MM-DDTHH:MM[:SS[.ffffff]] with Z, an offset or nothing for UTC",
)


@dataclass(frozen=True)
class Column:
    """A column of a log. `checks` are pairs of a condition in SQL and its rule; `{0}` is the text, `{1}` the typed value."""

    name: str
    format: TextFormat
    required: bool = False
    checks: tuple[tuple[str, str], ...] = ()
    default: str | None = None


SKIP_REASONS = ("SkippedNoContent", "SkippedHypersonalization", "FailedHypersonalization", "ContentTooLong")
IS_E164 = (
    f"regexp_full_match({{0}}, '{_braced(E164)}')",
    "must be an E.164 number: +, then 7 to 15 digits, the first not 0",
)
NOT_NEGATIVE = ("{1} >= 0", "must be 0 or more")

LOGS: dict[str, tuple[Column, ...]] = {
    "receipts": (
        Column("message_id", ID, required=True),
        Column("provider", STRING, required=True, default="smpp"),
        Column("provider_status", STRING, required=True),
        Column("error_code", STRING),
        Column("occurred_at", TIMESTAMP, required=True),
        Column("received_at", TIMESTAMP),
    ),
    "sends": (
        Column("message_id", ID, required=True),
        Column("campaign_id", ID, required=True),
        Column("contact_id", ID, required=True),
        Column("mobile_number", STRING, required=True, checks=(IS_E164,)),
        Column("sent_at", TIMESTAMP, required=True),
        Column(
            "segments",
            INTEGER,
            checks=(
                ("{1} between 1 and 255", "must be from 1 to 255"),
                ("{0} is not null or skip_reason is not null", "is required unless the contact was skipped"),
            ),
        ),
        Column(
            "skip_reason", STRING, checks=((f"{{0}} in {SKIP_REASONS}", f"must be one of {', '.join(SKIP_REASONS)}"),)
        ),
        Column("provider", STRING),
        Column("cost", _decimal(18, 6), checks=(NOT_NEGATIVE,)),
        Column(
            "cost_currency",
            CURRENCY,
            checks=(("{0} is not null or cost is null", "is required where there is a cost"),),
        ),
    ),
    "clicks": (
        Column("click_id", ID, required=True),
        Column("campaign_id", ID, required=True),
        Column("contact_id", ID, required=True),
        Column("message_id", ID),
        Column("url", STRING),
        Column("clicked_at", TIMESTAMP, required=True),
        Column("user_agent", STRING),
    ),
    "orders": (
        Column("order_id", ID, required=True),
        Column("contact_id", ID, required=True),
        Column("ordered_at", TIMESTAMP, required=True),
        Column("total", _decimal(18, 4), required=True, checks=(NOT_NEGATIVE,)),
        Column(
            "refunded_amount",
            _decimal(18, 4),
            required=True,
            default="0",
            checks=(("{1} >= 0 and ({1} <= typed_total or typed_total < 0)", "must be from 0 to the total"),),
        ),
        Column("currency", CURRENCY, required=True),
        Column(
            "status", STRING, required=True, checks=(("{0} in ('placed', 'cancelled')", "must be placed or cancelled"),)
        ),
        Column("updated_at", TIMESTAMP, required=True),
    ),
    "unsubscribes": (
        Column("contact_id", ID, required=True),
        Column("unsubscribed_at", TIMESTAMP, required=True),
        Column("mobile_number", STRING, checks=(IS_E164,)),
        Column("source", STRING),
    ),
    "campaigns": (
        Column("campaign_id", ID, required=True),
        Column("campaign_name", STRING, required=True),
        Column("campaign_type", CAMPAIGN_TYPE, required=True),
        Column("body", STRING),
        Column("media_url", STRING),
        Column("sender", STRING),
        Column("max_segments", INTEGER, checks=(("{1} >= 1", "must be 1 or more"),)),
        Column("modified_by", STRING, required=True),
        Column("modified_at", TIMESTAMP, required=True),
    ),
    "exchange_rates": (
        Column("rate_date", DATE, required=True),
        Column("currency", CURRENCY, required=True),
        Column("rate", _decimal(20, 10), required=True, checks=(("{1} > 0", "must be more than 0"),)),
        Column("base_currency", CURRENCY),
    ),
}
"""The columns of each log; the logs with the most rows come first."""

MAY_SPAN_LINES = frozenset({"campaigns"})
"""Logs whose texts may have line breaks. In the others, a record is a line."""


# --- admission


def admit(settings: Settings, landing: Path, admitted: Path) -> dict[str, int]:
    """Reads every csv.gz file of a landing zone; returns the number of accepted and of rejected rows.

    One thread reads a gzip file, so as many files are read at a time as there are threads.
    """
    admitted.mkdir(parents=True, exist_ok=True)
    with _connected(settings, admitted / "quarantine.duckdb", threads=1) as connection:
        connection.execute(
            "create table if not exists rejected_rows (log varchar, log_date date, source_file varchar, row_number bigint,"
            " reasons varchar[], raw_row varchar)"
        )
        connection.execute(
            "create or replace macro in_range(moment) as if(year(moment) between 1990 and 2099, moment, null)"
        )
        files = [(log, file) for log in LOGS for file in sorted((landing / log).glob("*.csv.gz"))]
        with ThreadPoolExecutor(settings.threads) as threads:
            accepted = sum(threads.map(lambda task: _admit_file(connection.cursor(), *task, admitted), files))
        return {"accepted": accepted, "rejected": fetch_value(connection, "select count(*) from rejected_rows")}


def _admit_file(connection: duckdb.DuckDBPyConnection, log: str, file: Path, admitted: Path) -> int:
    """Validates the rows of a file; writes the accepted ones to Parquet and the others to quarantine."""
    with gzip.open(file, "rt", encoding="utf-8-sig") as lines:
        header = [name.strip() for name in lines.readline().split(",")]
    log_date = file.name.removesuffix(".csv.gz")
    source = {"log": log, "log_date": log_date, "source_file": file.name}
    connection.execute(_validation_sql(log, header, file))
    columns = ", ".join(f"typed_{column.name} as {column.name}" for column in LOGS[log])
    path = admitted / "lake" / log / f"log_date={log_date}" / "rows.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    accepted: int = fetch_value(
        connection,
        f"copy (select {columns}, '{file.name}' as source_file, row_number from validated where reasons is null)"
        f" to '{path}' (format parquet, compression zstd)",
    )
    connection.execute(
        "insert into rejected_rows select $log, $log_date, $source_file, row_number, reasons, raw_row from validated"
        " where reasons is not null",
        source,
    )
    connection.close()
    return accepted


def _validation_sql(log: str, header: list[str], file: Path) -> str:
    """A statement that creates the table `validated`: the records of a file, with the reasons to reject them."""
    columns = LOGS[log]
    records = _records_over_lines(header, file) if log in MAY_SPAN_LINES else _records_by_line(len(header), file)
    texts = ", ".join(
        _with_default(f"nullif(fields[{header.index(column.name) + 1}], '')", column) + f" as {column.name}"
        for column in columns
    )
    typed = ", ".join(f"{column.format.sql.format(column.name)} as typed_{column.name}" for column in columns)
    checks = [check for column in columns for check in _checks(column)]
    is_good = " and ".join(f"({holds})" for holds, _ in checks)
    reasons = ", ".join(f"if({holds}, null, '{reason}')" for holds, reason in checks)
    return f"""
        create or replace temp table validated as
        with
            {records},
            texts as (
                select line, row_number, len(fields) is not distinct from {len(header)} as is_whole, {texts}
                from records
            ),
            typed as (
                select *, {typed} from texts
            )
        select
            {", ".join(f"typed_{column.name}" for column in columns)},
            row_number,
            case
                when is_whole and {is_good} then null
                when not is_whole then ['line: has not the {len(header)} fields of the header, or a stray quote']
                else list_filter([{reasons}], lambda x: x is not null)
            end as reasons,
            if(reasons is null, null, line) as raw_row
        from typed
    """


def _records_by_line(fields: int, file: Path) -> str:
    """The records of a file in which each record is a line.

    A line without a quote is split at its commas. The few others are matched with a pattern first. White space around
    values is searched for once per line.
    """
    field = r'(?:"(?:[^"]|"")*"|[^",]*)'
    record = rf"{field}(?:,{field}){{{fields - 1}}}"
    holds_space = " or ".join(f"contains(line, e'{space}')" for space in SPACES)
    return f"""
            lines as (
                select line, row_number() over () as row_number
                from read_csv(
                    '{file}', columns = {{'line': 'varchar'}}, auto_detect = false, header = false, skip = 1,
                    delim = '\x01', quote = '', escape = ''
                )
                where line is not null
            ),
            records as (
                select
                    line, row_number,
                    case
                        when not contains(line, '"') then string_split(line, ',')
                        when regexp_full_match(line, '{record}')
                            then list_transform(
                                regexp_extract_all(',' || line, ',({field})', 1),
                                lambda x: if(x[1] = '"', replace(x[2:-2], '""', '"'), x)
                            )
                    end as split_fields,
                    if(
                        ({holds_space})
                        and regexp_matches(line, '(?:^|[,"])[{SPACE}]|[{SPACE}](?:[,"]|$)'),
                        list_transform(split_fields, lambda x: trim(x, e'{SPACE}')),
                        split_fields
                    ) as fields
                from lines
            )"""


def _records_over_lines(header: list[str], file: Path) -> str:
    """The records of a small file whose texts may have line breaks; DuckDB's parser reads them."""
    columns = ", ".join(f"'{name}': 'varchar'" for name in header)
    fields = ", ".join(f"trim({name}, e'{SPACE}')" for name in header)
    return f"""
            records as (
                select [{fields}] as fields, array_to_string(fields, ',') as line, row_number() over () as row_number
                from read_csv(
                    '{file}', columns = {{{columns}}}, auto_detect = false, header = true, delim = ',', quote = '"',
                    escape = '"'
                )
            )"""


def _checks(column: Column) -> Iterator[tuple[str, str]]:
    """The rules of a column: conditions in SQL, each with the reason for rejecting a row that breaks it."""
    typed = f"typed_{column.name}"
    if column.required:
        yield f"{column.name} is not null", f"{column.name}: is required"
    if column.format is not STRING:
        yield f"{typed} is not null or {column.name} is null", f"{column.name}: {column.format.rule}"
    for holds, rule in column.checks:
        yield f"coalesce({holds.format(column.name, typed)}, true)", f"{column.name}: {rule}"


def _with_default(text: str, column: Column) -> str:
    return text if column.default is None else f"coalesce({text}, '{column.default}')"


# --- build


def build(settings: Settings, admitted: Path, *, insights: bool = False) -> None:
    """Computes every mart from all admitted Parquet files, in `marts.duckdb` beside them; with `insights`, these as well."""
    for file in (admitted / TABLES, admitted / MARTS):
        file.unlink(missing_ok=True)
    with _connected(settings, admitted / TABLES, settings.threads) as connection:
        connection.execute(f"attach '{admitted / MARTS}' as marts_file")
        for log in LOGS:
            rows = f"read_parquet('{admitted}/lake/{log}/*/*.parquet')"
            connection.execute(f"create temp view {log}_log as from {rows}")
        for name, value in settings.figure_settings().items():
            connection.execute(f"set variable {name} = {json.dumps(value).replace(chr(34), chr(39))}")
        for table, seed in (VOCABULARY | INSIGHT_SEEDS if insights else VOCABULARY).items():
            rows = f"read_csv('{SEEDS / seed}', header = true, all_varchar = true)"
            connection.execute(f"create temp table {table} as from {rows}")
        for file in INSIGHT_SQL if insights else MART_SQL:
            sql = Path(__file__).with_name(file).read_text()
            if BOT_CONDITION in sql:
                sql = sql.replace(BOT_CONDITION, _bot_condition(connection))
            for statement in connection.extract_statements(sql):
                connection.execute(statement)


def _bot_condition(connection: duckdb.DuckDBPyConnection) -> str:
    """A condition on `user_agent`. Most patterns are plain texts, which are found much faster than regular expressions."""
    patterns = connection.execute("select literal, pattern from bot_patterns order by pattern").fetchall()
    conditions = [f"contains(user_agent, {literal(text)})" for text, _ in patterns if text is not None]
    expressions = "|".join(f"(?:{pattern})" for text, pattern in patterns if text is None)
    return " or ".join([*conditions, f"regexp_matches(user_agent, {literal(expressions)})"])


def _connected(settings: Settings, file: Path, threads: int) -> duckdb.DuckDBPyConnection:
    scratch = file.parent / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect(
        str(file),
        config={
            "memory_limit": settings.memory_limit,
            "threads": threads,
            "temp_directory": str(scratch),
            "preserve_insertion_order": False,
        },
    )
    connection.execute("set timezone = 'UTC'")
    return connection
