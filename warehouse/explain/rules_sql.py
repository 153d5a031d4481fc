"""The rows of the lake behind some messages, clicks, orders, unsubscribes or campaigns, and what they come to by the rules.

The rules of `docs/contracts.md` and of the marts, worked out anew for the few keys that are asked for, with file and row
number at hand: a second reading of them, which a test holds to the marts. Every step is a temporary table of a DuckDB
connection of its own, whose name says what it holds; nothing is written but what exceeds its memory. A step takes the keys
it is asked for as a query, so that one key and all of them go the same way.

Not here: what is told of it (`warehouse.explain.explainer`); the marts themselves (`dbt_project/`).
"""

from glob import escape
from typing import Any

import duckdb

from models.enums import Log
from models.logs import COLUMNS
from warehouse.config import DataPaths, Settings
from warehouse.duckdb_tools import apply_limits, enable_s3, literal
from warehouse.transform.dbt_runner import DBT_PROJECT

VOCABULARY = DBT_PROJECT / "seeds" / "provider_vocabularies.csv"

KEYS: dict[Log, tuple[str, ...]] = {
    Log.CAMPAIGNS: ("campaign_id",),
    Log.SENDS: ("message_id",),
    Log.CLICKS: ("click_id",),
    Log.ORDERS: ("order_id",),
    Log.UNSUBSCRIBES: ("contact_id", "unsubscribed_at"),
    Log.EXCHANGE_RATES: ("currency", "rate_date"),
}

_FIRST_RULES: dict[Log, tuple[tuple[str, str], ...]] = {
    Log.CAMPAIGNS: (("modified_at desc", "the latest modified_at"),),
    Log.SENDS: (
        ("skip_reason is not null", "a sent row before a skipped one"),
        ("sent_at", "the earliest sent_at"),
        ("campaign_id", "the smallest campaign_id"),
        ("contact_id", "the smallest contact_id"),
    ),
    Log.CLICKS: (
        ("clicked_at", "the earliest clicked_at"),
        ("campaign_id", "the smallest campaign_id"),
        ("contact_id", "the smallest contact_id"),
    ),
    Log.ORDERS: (
        ("updated_at desc", "the latest updated_at"),
        ("status <> 'cancelled'", "cancelled before placed"),
    ),
    Log.UNSUBSCRIBES: (),
    Log.EXCHANGE_RATES: (),
}
SAME = "the rows are the same"


def rules_of(log: Log) -> list[tuple[str, str]]:
    """How the row is found that is kept of several with one key: terms to order by, each with its words."""
    first = list(_FIRST_RULES[log])
    settled = {term.split()[0] for term, _ in first if " is " not in term and "<>" not in term} | set(KEYS[log])
    others = [column.name for column in COLUMNS[log] if column.name not in settled]
    return first + [(f"{name} desc nulls last", f"the greatest {name}") for name in others]


def attach_published(connection: duckdb.DuckDBPyConnection, paths: DataPaths) -> None:
    """Gives a connection read access to the published marts, as `published.marts`."""
    connection.execute(f"attach {literal(paths.published_marts)} as published (read_only)")


class Evidence:
    """Temporary tables on a connection, made step by step. The rows of a log are `lake_<log>`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, settings: Settings, paths: DataPaths) -> None:
        self._connection = connection
        self._settings = settings
        apply_limits(connection, settings)
        enable_s3(connection, paths.lake)
        for log in Log:
            files = f"{escape(str(paths.lake / log))}/*/*.parquet"
            self.run(
                f"create or replace temp view lake_{log} as select * from read_parquet({literal(files)},"
                " union_by_name = true, hive_partitioning = true, hive_types = {'log_date': date})"
            )
        self.run(
            f"create or replace temp table vocabulary as select * from read_csv({literal(VOCABULARY)}, header = true,"
            " all_varchar = true, nullstr = '')"
        )

    def run(self, statement: str, parameters: dict[str, Any] | None = None) -> duckdb.DuckDBPyConnection:
        return self._connection.execute(statement, parameters or {})

    def rows(self, log: Log, asked: str, parameters: dict[str, Any] | None = None, into: str | None = None) -> None:
        """All rows with the keys that a query gives, as `<log>_rows`: of each key `place` 1 is kept, `terms` say why."""
        rules, key = rules_of(log), ", ".join(KEYS[log])
        terms = ", ".join(
            f"cast({term.removesuffix(' nulls last').removesuffix(' desc')} as varchar)" for term, _ in rules
        )
        self.run(f"create or replace temp table asked as {asked}", parameters)
        self.run(
            f"create or replace temp table {into or f'{log}_rows'} as"
            f" select *, [{terms}] as terms, count(*) over (partition by {key}) as rows_of_key,"
            f" row_number() over (partition by {key} order by {', '.join(term for term, _ in rules)}, source_file,"
            " row_number) as place"
            f" from lake_{log} semi join asked using ({key})"
        )

    def messages(self, asked: str, parameters: dict[str, Any] | None = None, into: str = "messages") -> None:
        """`sends_rows`, `receipts_rows` (place 1 decides, if `weight` is not 0) and, by message, where it stands."""
        self.rows(Log.SENDS, asked, parameters)
        self.run(
            """
create or replace temp table receipts_rows as
with receipts as (
    select
        message_id, provider, provider_status, error_code, occurred_at, count(*) as copies,
        min({'log_date': log_date, 'source_file': source_file, 'row_number': row_number}) as first
    from lake_receipts semi join asked using (message_id)
    group by all
),
spelled as (
    select
        *,
        translate(provider, 'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ') as upper_provider,
        translate(provider_status, 'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ') as upper_status,
        translate(error_code, 'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ') as upper_code
    from receipts
),
words as (
    select
        *,
        translate(provider, 'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ') as upper_provider,
        translate(provider_status, 'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ') as upper_status,
        translate(error_code, 'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ') as upper_code
    from vocabulary
),
mapped as (
    select
        spelled.* exclude (upper_provider, upper_status, upper_code),
        coalesce(of_code.delivery_status, of_any.delivery_status) as delivery_status,
        case
            when of_code.delivery_status is not null
                then of_code.provider || ', ' || of_code.provider_status || ', ' || of_code.error_code
            when of_any.delivery_status is not null
                then of_any.provider || ', ' || of_any.provider_status || ', any code'
        end as vocabulary_row
    from spelled
    left join words as of_code
        on spelled.upper_provider = of_code.upper_provider and spelled.upper_status = of_code.upper_status
        and spelled.upper_code = of_code.upper_code
    left join words as of_any
        on spelled.upper_provider = of_any.upper_provider and spelled.upper_status = of_any.upper_status
        and of_any.upper_code is null
),
weighed as (
    select
        *,
        case delivery_status when 'delivered' then 3 when 'pending' then 1 else if(delivery_status is null, 0, 2) end
            as weight,
        case delivery_status when 'deleted' then 3 when 'hard_bounce' then 2 when 'soft_bounce' then 1 else 0 end
            as tie_weight
    from mapped
)
select
    *,
    row_number() over (
        partition by message_id
        order by
            weight desc,
            if(weight = 3, -epoch_us(occurred_at), epoch_us(occurred_at)) desc,
            tie_weight desc, provider desc, provider_status desc, error_code desc nulls last
    ) as place
from weighed
"""
        )
        self.run(
            f"""
create or replace temp table {into} as
select
    sends.message_id, sends.campaign_id, sends.contact_id, sends.mobile_number, sends.sent_at, sends.segments,
    sends.skip_reason, sends.skip_reason is null as is_sent,
    if(sends.skip_reason is null, coalesce(receipts.delivery_status, 'pending'), null) as delivery_status,
    if(sends.skip_reason is null, coalesce(receipts.occurred_at, sends.sent_at), null) as status_at,
    receipts.provider, receipts.provider_status, receipts.error_code,
    sends.log_date, sends.source_file, sends.row_number
from sends_rows as sends
left join receipts_rows as receipts
    on sends.message_id = receipts.message_id and receipts.place = 1 and receipts.weight > 0
where sends.place = 1
"""
        )

    def orders(self, asked: str, parameters: dict[str, Any] | None = None) -> None:
        """`orders_rows`; `orders` that are placed, with rate and revenue; `credited`: by order and campaign its last click
        in the window, direct or assisted.
        """
        self.rows(Log.ORDERS, asked, parameters)
        currency = {"currency": self._settings.reporting_currency}
        self.run(
            "create or replace temp table rates as select distinct on (currency, rate_date) * from lake_exchange_rates"
            " where coalesce(base_currency, $currency) = $currency"
            " order by currency, rate_date, rate desc, base_currency desc nulls last",
            currency,
        )
        self.run(
            """
create or replace temp table orders as
select
    orders.*,
    rates.rate, rates.rate_date, rates.source_file as rate_file, rates.row_number as rate_row,
    cast(case
        when orders.currency = $currency then orders.total - orders.refunded_amount
        else round(cast(orders.total - orders.refunded_amount as decimal(38, 2)) * rates.rate, 2)
    end as decimal(18, 2)) as revenue
from (select *, cast(ordered_at as date) as ordered_date from orders_rows where place = 1 and status = 'placed') as orders
asof left join rates
    on orders.currency = rates.currency and orders.ordered_date >= rates.rate_date
""",
            currency,
        )
        window = {"hours": self._settings.conversion_window_hours}
        self.rows(
            Log.CLICKS,
            "with spans as ("
            "  select contact_id, min(ordered_at) - to_hours($hours) as first, max(ordered_at) as last"
            "  from orders group by contact_id"
            ") select distinct click_id from lake_clicks join spans using (contact_id)"
            " where clicked_at between first and last",
            window,
        )
        self.run(
            """
create or replace temp table credited as
with last_clicks as (
    select
        orders.order_id, clicks.campaign_id, count(*) as clicks,
        max({'clicked_at': clicks.clicked_at, 'click_id': clicks.click_id}) as last
    from orders
    join (select * from clicks_rows where place = 1) as clicks
        on orders.contact_id = clicks.contact_id and clicks.clicked_at <= orders.ordered_at
        and clicks.clicked_at >= orders.ordered_at - to_hours($hours)
    group by all
)
select
    orders.order_id, last_clicks.campaign_id,
    if(row_number() over (partition by orders.order_id order by last desc) = 1, 'direct', 'assisted') as attribution,
    orders.contact_id, orders.ordered_at, last.clicked_at as clicked_at, last.click_id as click_id, orders.revenue,
    orders.currency, orders.total, orders.refunded_amount, last_clicks.clicks, rows.source_file, rows.row_number
from last_clicks
join orders using (order_id)
join clicks_rows as rows on rows.click_id = last.click_id and rows.place = 1
""",
            window,
        )

    def unsubscribes(self, contacts: str, parameters: dict[str, Any] | None = None) -> None:
        """`unsubscribes` of contacts, each with the last message sent to them before it."""
        self.run(f"create or replace temp table contacts as {contacts}", parameters)
        self.rows(
            Log.UNSUBSCRIBES,
            "select distinct contact_id, unsubscribed_at from lake_unsubscribes semi join contacts using (contact_id)",
        )
        self.messages(
            "select distinct message_id from lake_sends"
            " semi join (select contact_id from unsubscribes_rows) as u using (contact_id)",
            into="messages_before",
        )
        self.run(
            """
create or replace temp table unsubscribes as
with last_messages as (
    select
        unsubscribes.contact_id, unsubscribes.unsubscribed_at,
        max({'sent_at': messages.sent_at, 'message_id': messages.message_id, 'campaign_id': messages.campaign_id}) as last
    from unsubscribes_rows as unsubscribes
    join messages_before as messages
        on messages.is_sent and unsubscribes.contact_id = messages.contact_id
        and messages.sent_at <= unsubscribes.unsubscribed_at
    where unsubscribes.place = 1
    group by all
)
select
    unsubscribes.contact_id, unsubscribes.unsubscribed_at, unsubscribes.source, last.campaign_id as campaign_id,
    last.message_id as message_id, last.sent_at as sent_at, unsubscribes.log_date, unsubscribes.source_file,
    unsubscribes.row_number
from unsubscribes_rows as unsubscribes
left join last_messages using (contact_id, unsubscribed_at)
where unsubscribes.place = 1
"""
        )

    def campaigns(self, asked: str, parameters: dict[str, Any] | None = None) -> None:
        """`campaigns`: every count of the campaigns that a query gives, and what it comes from: `campaigns_rows`,
        `messages`, `contact_statuses`, `clicks`, `credited`, `unsubscribes`, each of these campaigns alone.
        """
        self.run(f"create or replace temp table asked_campaigns as {asked}", parameters)
        self.rows(Log.CAMPAIGNS, "from asked_campaigns")
        of_them = "semi join asked_campaigns using (campaign_id)"
        self.messages(f"select distinct message_id from lake_sends {of_them}", into="messages_found")
        self.run(f"create or replace temp table messages as from messages_found {of_them}")
        self.run(
            """
create or replace temp table contact_statuses as
select
    campaign_id, contact_id,
    if(bool_or(delivery_status = 'delivered'), 'delivered',
        max_by(delivery_status, {'sent_at': sent_at, 'message_id': message_id})) as delivery_status
from messages where is_sent group by all
"""
        )
        self.rows(Log.CLICKS, f"select distinct click_id from lake_clicks {of_them}", into="clicks_found")
        self.run(f"create or replace temp table clicks as select * from clicks_found {of_them} where place = 1")
        self.orders(
            "select distinct order_id from lake_orders"
            " semi join (select contact_id from clicks) as clickers using (contact_id)"
        )
        self.run(f"create or replace temp table credited as from credited {of_them}")
        self.unsubscribes("select distinct contact_id from messages where is_sent")
        self.run(f"create or replace temp table unsubscribes as from unsubscribes {of_them}")
        statuses = {
            "unique_deliveries": "delivered",
            "pending": "pending",
            "soft_bounces": "soft_bounce",
            "hard_bounces": "hard_bounce",
            "deleted": "deleted",
        }
        by_status = ", ".join(
            f"count(*) filter (delivery_status = '{status}') as {column}" for column, status in statuses.items()
        )
        counted = ", ".join(
            f"coalesce({column}, 0) as {column}"
            for column in ("unique_sends", *statuses, "total_clicks", "unique_clickers", "direct_orders",
                           "assisted_orders", "revenue", "assisted_revenue", "unsubscribes")
        )  # fmt: skip
        self.run(
            f"""
create or replace temp table campaigns as
with sends as (
    select
        campaign_id, max(sent_at) filter (is_sent) as last_sent_at, count(*) filter (is_sent) as total_sent,
        count(*) filter (not is_sent) as total_skipped,
        cast(coalesce(sum(segments) filter (is_sent), 0) as bigint) as total_segments,
        count(*) filter (delivery_status = 'delivered') as total_delivered
    from messages group by campaign_id
),
contacts_counted as (
    select campaign_id, count(*) as unique_sends, {by_status} from contact_statuses group by campaign_id
),
clicks_counted as (
    select campaign_id, count(*) as total_clicks, count(distinct contact_id) as unique_clickers
    from clicks group by campaign_id
),
orders_counted as (
    select
        campaign_id, count(*) filter (attribution = 'direct') as direct_orders,
        count(*) filter (attribution = 'assisted') as assisted_orders,
        sum(revenue) filter (attribution = 'direct') as revenue,
        sum(revenue) filter (attribution = 'assisted') as assisted_revenue
    from credited group by campaign_id
),
unsubscribes_counted as (
    select campaign_id, count(distinct contact_id) as unsubscribes from unsubscribes group by campaign_id
),
counted as (
    select
        sends.*, edits.campaign_name, edits.campaign_type, edits.modified_by as last_modified_by, {counted}
    from sends
    left join (from campaigns_rows where place = 1) as edits using (campaign_id)
    left join contacts_counted using (campaign_id)
    left join clicks_counted using (campaign_id)
    left join orders_counted using (campaign_id)
    left join unsubscribes_counted using (campaign_id)
)
select
    *,
    unique_clickers / nullif(total_delivered, 0) as click_to_delivered_rate,
    direct_orders / nullif({self._settings.conversion_rate_denominator}, 0) as conversion_rate
from counted
"""
        )
