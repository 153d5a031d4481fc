"""A build of a few ids in memory: the SQL of the models, run on those rows of the lake that the ids depend on.

The SQL is the one that dbt runs in a full build, so that an explanation follows the same rules as the marts. The files of
the candidate are not opened: a refresh may be writing to them, and they may hold another state of the lake.

Relations on the connection, where `<log>` is the name of a log:

- `lake_<log>`: all rows of the log in the lake, with `log_date`, `source_file` and `row_number`;
- `build.staging.stg_logs__<log>`: the rows that the ids depend on; `build.intermediate.…` and `candidate.marts.…`: the
  models on these rows, named as in the files of a candidate;
- `<log>_rows`: the staged rows that count; of each key, the models keep the row with `row_rank` 1;
- `messages`, `orders`, `clicks`, `credited_clicks`, `unsubscribes`: rows of the models, each with the file and row that it
  came from.

Not here: the rules (`dbt_project/`; a model carries that of `macros/deduplication.sql` in its meta), the explanation made from
the rows (`warehouse.explain.explainer`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from models.enums import BotClicks, Log
from warehouse.config import DataPaths, Settings
from warehouse.duckdb_tools import apply_limits, enable_s3
from warehouse.transform.compiled_sql import CompiledModel, full_build_sql

_TARGET = "campaign_overview"
"""The model that comes from all the models that an explanation reads."""

_SENDS, _ORDERS, _UNSUBSCRIBES = (f"build.staging.stg_logs__{log}" for log in (Log.SENDS, Log.ORDERS, Log.UNSUBSCRIBES))
_RATES = f"select currency from {_ORDERS}"
_NEEDED: dict[str, dict[Log, str]] = {
    "message": {Log.SENDS: "select id from requested", Log.RECEIPTS: "select id from requested"},
    "order": {
        Log.ORDERS: "select id from requested",
        Log.CLICKS: f"select click_id from lake_clicks where contact_id in (select contact_id from {_ORDERS})",
        Log.EXCHANGE_RATES: _RATES,
    },
    "contact": {
        Log.SENDS: "select message_id from lake_sends where contact_id in (from requested)",
        Log.RECEIPTS: f"select message_id from {_SENDS}",
        Log.CLICKS: "select click_id from lake_clicks where contact_id in (from requested)",
        Log.ORDERS: "select order_id from lake_orders where contact_id in (from requested)",
        Log.EXCHANGE_RATES: _RATES,
        Log.UNSUBSCRIBES: "select id from requested",
    },
    "campaign": {
        Log.CAMPAIGNS: "select id from requested",
        # The orders of the campaign's clickers; of the clickers who ordered, the clicks on every campaign.
        Log.ORDERS: "select order_id from lake_orders where contact_id in"
        " (select contact_id from lake_clicks where campaign_id in (from requested))",
        Log.CLICKS: "select click_id from lake_clicks where campaign_id in (from requested)"
        f" or contact_id in (select contact_id from {_ORDERS})",
        Log.EXCHANGE_RATES: _RATES,
        # The unsubscribes of its contacts; of the contacts who unsubscribed, the messages of every campaign.
        Log.UNSUBSCRIBES: "select contact_id from lake_sends where campaign_id in (from requested)",
        Log.SENDS: "select message_id from lake_sends where campaign_id in (from requested)"
        f" or contact_id in (select contact_id from {_UNSUBSCRIBES})",
        Log.RECEIPTS: "select message_id from lake_sends where campaign_id in (from requested)",
    },
}
"""By kind of id, the keys of each log whose rows are needed, in the order in which they are staged.

A key is taken if any row names the id, and then with all its rows: which of them counts is for the models to decide.
"""

_NEEDED_TO_TELL_BOTS = {
    "order": {Log.SENDS: f"select message_id from lake_sends where contact_id in (select contact_id from {_ORDERS})"},
    "campaign": {
        Log.SENDS: f"select message_id from lake_sends where contact_id in (select contact_id from {_ORDERS})"
    },
}
"""The same, where clicks of bots do not count: a click is a bot's by the time since its message."""

_VIEWS = {
    "messages": """
        select resolved.message_id, is_sent, resolved.campaign_id, resolved.contact_id, resolved.mobile_number,
            resolved.sent_at, resolved.segments, resolved.skip_reason,
            if(is_sent, cast(resolved.delivery_status as varchar), null) as delivery_status,
            if(is_sent, resolved.status_at, null) as status_at,
            statuses.provider, statuses.provider_status, statuses.error_code,
            rows.log_date, rows.source_file, rows.row_number
        from build.intermediate.int_messages_resolved as resolved
        join sends_rows as rows on resolved.message_id = rows.message_id and rows.row_rank = 1
        left join build.intermediate.int_provider_statuses_mapped as statuses using (provider_status_id)""",
    "orders": """
        select orders.*, rows.status, rows.log_date, rows.source_file, rows.row_number,
            rates.source_file as rate_file, rates.row_number as rate_row
        from build.intermediate.int_orders_converted as orders
        join orders_rows as rows on orders.order_id = rows.order_id and rows.row_rank = 1
        left join exchange_rates_rows as rates
            on orders.currency = rates.currency and orders.exchange_rate_date = rates.rate_date and rates.row_rank = 1""",
    "clicks": """
        select clicks.*, rows.log_date, rows.source_file, rows.row_number
        from build.intermediate.int_clicks_deduplicated as clicks
        join clicks_rows as rows on clicks.click_id = rows.click_id and rows.row_rank = 1""",
    "credited_clicks": """
        select attributed.*, rows.source_file, rows.row_number
        from build.intermediate.int_orders_attributed as attributed
        join clicks_rows as rows on attributed.click_id = rows.click_id and rows.row_rank = 1""",
    "unsubscribes": """
        select attributed.*, rows.log_date, rows.source_file, rows.row_number
        from build.intermediate.int_unsubscribes_attributed as attributed
        join unsubscribes_rows as rows
            on attributed.contact_id = rows.contact_id and attributed.unsubscribed_at = rows.unsubscribed_at
            and rows.row_rank = 1""",
}

_COUNTED_CLICKS = """
    create or replace temp view clicks as
    select clicks.*, rows.log_date, rows.source_file, rows.row_number
    from build.intermediate.int_clicks_deduplicated as clicks
    semi join (from build.intermediate.int_clicks_classified where not is_bot) using (click_id)
    join clicks_rows as rows on clicks.click_id = rows.click_id and rows.row_rank = 1"""

SAME = "the rows are the same in every column that the models read"

_TERM_DESCRIPTIONS = {
    "case when skip_reason is null then 0 else 1 end": "a sent row before a skipped one",
    "case when status = 'cancelled' then 0 else 1 end": "cancelled before placed",
}


@dataclass(frozen=True)
class Deduplication:
    """The deduplication rule of a log: of the rows `where` with one key, the first by `order_by` is kept."""

    key: list[str]
    order_by: list[str]
    where: str

    def ranked_rows(self, relation: str) -> str:
        """A query: the rows of a relation with `rows_of_key`, `row_rank` from 1, and `sort_values`, one text per term."""
        sort_values = ", ".join(f"cast({_value(term)} as varchar)" for term in self.order_by)
        key = ", ".join(self.key)
        # Rows that are equal by the rule: the first of the first file.
        return (
            f"select *, [{sort_values}] as sort_values, count(*) over (partition by {key}) as rows_of_key,"
            f" row_number() over (partition by {key} order by {', '.join(self.order_by)}, source_file, row_number)"
            f" as row_rank from {relation} where {self.where}"
        )

    def deciding_term(self, kept_values: list[str | None], other_values: list[str | None]) -> str:
        """A description of the first term of the rule in which two rows differ, given their `sort_values`."""
        for term, kept_value, other_value in zip(self.order_by, kept_values, other_values, strict=True):
            if kept_value != other_value:
                return _describe_term(term)
        return SAME


def _value(term: str) -> str:
    return term.removesuffix(" nulls last").removesuffix(" desc")


def _describe_term(term: str) -> str:
    value = _value(term)
    is_descending = " desc" in term
    if value.endswith("_at"):
        return f"the {'latest' if is_descending else 'earliest'} {value}"
    return _TERM_DESCRIPTIONS.get(value, f"the {'greatest' if is_descending else 'smallest'} {value}")


class IdBuild:
    """Builds the models for the ids that a query gives; each build replaces the one before."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, settings: Settings, paths: DataPaths) -> None:
        """Prepares a connection without databases `build` and `candidate`. Raises BuildFailed if dbt cannot compile."""
        self._connection = connection
        models = full_build_sql(settings, paths)
        rules = {log: models[_model_of(log)].meta["deduplication"] for log in Log if log != Log.RECEIPTS}
        self.deduplication: dict[Log, Deduplication] = {
            log: Deduplication(rule["key"], rule["order_by"], rule.get("where") or "true")
            for log, rule in rules.items()
        }
        self._needs_bots = settings.bot_clicks == BotClicks.EXCLUDE
        apply_limits(connection, settings)
        enable_s3(connection, paths.lake)
        for log in Log:
            connection.execute(f"create or replace temp view lake_{log} as {models[f'stg_logs__{log}'].sql}")
        self._models = [model for model in _ancestors(models, _TARGET) if model.schema != "staging"]
        for database in sorted({model.database for model in self._models}):
            connection.execute(f"attach ':memory:' as {database}")
        for relation in {f"{model.database}.{model.schema}" for model in self._models} | {"build.staging"}:
            connection.execute(f"create schema {relation}")

    def build(self, kind: str, ids: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Builds the models for ids of one kind (campaign, message, order or contact). `ids`: a query with one column."""
        self._connection.execute(f"create or replace temp table requested as from ({ids}) as ids(id)", parameters or {})
        execute = self._connection.execute
        for log in Log:
            execute(f"create or replace table build.staging.stg_logs__{log} as from lake_{log} limit 0")
        needed = {log: [keys] for log, keys in _NEEDED[kind].items()}
        if self._needs_bots:
            for log, keys in _NEEDED_TO_TELL_BOTS.get(kind, {}).items():
                needed.setdefault(log, []).append(keys)
        for log, queries in needed.items():
            key_column = "message_id" if log == Log.RECEIPTS else self.deduplication[log].key[0]
            keys = " union ".join(f"({query})" for query in queries)
            execute(f"insert into build.staging.stg_logs__{log} from lake_{log} where {key_column} in ({keys})")
        for model in self._models:
            execute(f"create or replace table {model.relation} as {model.sql}")
        for log, rule in self.deduplication.items():
            execute(f"create or replace temp table {log}_rows as {rule.ranked_rows(f'build.staging.stg_logs__{log}')}")
        for name, query in _VIEWS.items():
            execute(f"create or replace temp view {name} as {query}")
        if self._needs_bots:
            execute(_COUNTED_CLICKS)


def _model_of(log: Log) -> str:
    """The model that keeps one row per key of a log."""
    return "int_messages_resolved" if log == Log.SENDS else f"int_{log}_deduplicated"


def _ancestors(models: Mapping[str, CompiledModel], name: str) -> list[CompiledModel]:
    """A model and the models that it comes from, each after those that it reads."""
    needed = {name}
    for model in reversed(list(models.values())):
        if model.name in needed:
            needed.update(model.parents)
    return [model for model in models.values() if model.name in needed]
