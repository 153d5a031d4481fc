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

Not here: the rules (`dbt_project/`), the explanation made from the rows (`warehouse.explain.explainer`).
"""

from collections.abc import Mapping
from typing import Any

import duckdb

from models.enums import Log
from warehouse.config import DataPaths, Settings
from warehouse.duckdb_tools import apply_limits, enable_s3
from warehouse.explain.deduplication import Deduplication
from warehouse.transform.compiled_sql import CompiledModel, full_build_sql

_TARGET = "campaign_overview"
"""The model that comes from all the models that an explanation reads."""

_KEY_COLUMNS = {
    Log.CAMPAIGNS: "campaign_id",
    Log.SENDS: "message_id",
    Log.RECEIPTS: "message_id",
    Log.CLICKS: "click_id",
    Log.ORDERS: "order_id",
    Log.UNSUBSCRIBES: "contact_id",
    Log.EXCHANGE_RATES: "currency",
}

_SENDS, _ORDERS, _UNSUBSCRIBES = (f"build.staging.stg_logs__{log}" for log in (Log.SENDS, Log.ORDERS, Log.UNSUBSCRIBES))
_RATES = f"select currency from {_ORDERS}"
_NEEDED: dict[str, dict[Log, str]] = {
    "message": {
        Log.SENDS: "select id from requested",
        Log.RECEIPTS: "select id from requested",
    },
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

_VIEWS = {
    "messages": """
        select resolved.* exclude (delivery_status, status_at, provider_status_id),
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


class IdBuild:
    """Builds the models for the ids that a query gives; each build replaces the one before."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, settings: Settings, paths: DataPaths) -> None:
        """Prepares a connection that has no database attached as `build` or `candidate`.

        Raises:
            BuildFailed: dbt cannot compile the project.
        """
        self._connection = connection
        models = full_build_sql(settings, paths)
        self.deduplication: dict[Log, Deduplication] = {
            log: Deduplication.of(models[_model_of(log)].meta["deduplication"]) for log in Log if log != Log.RECEIPTS
        }
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
        for log in Log:
            self._connection.execute(
                f"create or replace table build.staging.stg_logs__{log} as from lake_{log} limit 0"
            )
        for log, keys in _NEEDED[kind].items():
            self._connection.execute(
                f"insert into build.staging.stg_logs__{log} from lake_{log} where {_KEY_COLUMNS[log]} in ({keys})"
            )
        for model in self._models:
            self._connection.execute(f"create or replace table {model.relation} as {model.sql}")
        for log, rule in self.deduplication.items():
            self._connection.execute(
                f"create or replace temp table {log}_rows as {rule.ranked_rows(f'build.staging.stg_logs__{log}')}"
            )
        for name, query in _VIEWS.items():
            self._connection.execute(f"create or replace temp view {name} as {query}")


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
