{#
    The deduplication rule of each log: which of several rows with the same key is kept. Full and incremental builds use the
    same rule.

    key        the columns that identify a row
    order_by   the first row in this order is kept
    columns    the columns that are kept. Every term of `order_by` uses them alone, so that a kept row can be compared again
               with rows that come later

    The insights need more columns than the marts: they come last in `order_by` and `columns`.
#}
{% macro deduplication(log) -%}
    {%- set rules = {
        "campaigns": {
            "key": ["campaign_id"],
            "order_by": [
                "modified_at desc",
                "campaign_name desc",
                "campaign_type desc",
                "body desc nulls last",
                "media_url desc nulls last",
                "sender desc nulls last",
                "max_segments desc nulls last",
                "modified_by desc",
            ],
            "columns": [
                "campaign_id",
                "campaign_name",
                "campaign_type",
                "body",
                "media_url",
                "sender",
                "max_segments",
                "modified_by",
                "modified_at",
            ],
        },
        "sends": {
            "key": ["message_id"],
            "order_by": [
                "case when skip_reason is null then 0 else 1 end",
                "sent_at",
                "campaign_id",
                "contact_id",
                "mobile_number desc",
                "segments desc nulls last",
                "skip_reason desc nulls last",
            ],
            "columns": [
                "message_id",
                "campaign_id",
                "contact_id",
                "mobile_number",
                "sent_at",
                "segments",
                "skip_reason",
            ],
        },
        "clicks": {
            "key": ["click_id"],
            "order_by": [
                "clicked_at",
                "campaign_id",
                "contact_id",
            ],
            "columns": [
                "click_id",
                "campaign_id",
                "contact_id",
                "clicked_at",
            ],
        },
        "orders": {
            "key": ["order_id"],
            "order_by": [
                "updated_at desc",
                "case when status = 'cancelled' then 0 else 1 end",
                "contact_id desc",
                "ordered_at desc",
                "total desc",
                "refunded_amount desc",
                "currency desc",
            ],
            "columns": [
                "order_id",
                "contact_id",
                "ordered_at",
                "total",
                "refunded_amount",
                "currency",
                "status",
                "updated_at",
            ],
        },
        "unsubscribes": {
            "key": ["contact_id", "unsubscribed_at"],
            "order_by": [
                "mobile_number desc nulls last",
                "source desc nulls last",
            ],
            "columns": [
                "contact_id",
                "unsubscribed_at",
                "mobile_number",
                "source",
            ],
        },
        "exchange_rates": {
            "key": ["currency", "rate_date"],
            "order_by": [
                "rate desc",
            ],
            "columns": [
                "currency",
                "rate_date",
                "rate",
            ],
        },
    } -%}
    {%- set rule = rules[log] -%}
    {%- for column in insight_columns(log) -%}
        {%- do rule.order_by.append(column ~ " desc nulls last") -%} {%- do rule.columns.append(column) -%}
    {%- endfor -%}
    {{ return(rule) }}
{%- endmacro %}


{#
    The exchange rates that count. Not in `deduplication`, which the models of all logs name: another reporting currency
    rebuilds only the models that name this macro.
#}
{% macro is_rate_into_reporting_currency() -%}
    {{ return("coalesce(base_currency, '" ~ var("reporting_currency") ~ "') = '" ~ var("reporting_currency") ~ "'") }}
{%- endmacro %}


{# The columns of a log that only the insights need, in the order of the log. #}
{% macro insight_columns(log) -%}
    {%- set columns = {
        "sends": ["provider", "cost", "cost_currency"],
        "clicks": ["message_id", "url", "user_agent"],
    } -%}
    {{ return(columns.get(log, []) if var("insights") else []) }}
{%- endmacro %}


{# Whether the deduplicated rows of a log have a `first_log_date`: the least log date of all rows of the key. #}
{% macro has_first_log_date(log) -%}
    {{ return(var("insights") and log in ("sends", "clicks", "orders")) }}
{%- endmacro %}


{# The columns of the deduplicated rows of a log. #}
{% macro deduplicated_columns(log) -%}
    {{ return(deduplication(log).columns + (["first_log_date"] if has_first_log_date(log) else [])) }}
{%- endmacro %}


{# The columns that a row of the log gives to deduplicated rows, as a select list. #}
{% macro columns_to_deduplicate(log) -%}
    {%- set columns = deduplication(log).columns | join(", ") -%}
    {{ return(columns ~ (", log_date as first_log_date" if has_first_log_date(log) else "")) }}
{%- endmacro %}


{#
    One row per key of a log, read from the log's relation or from another relation with its columns. `log_date` is the column
    of the relation with the log date, or with the least log date of the rows that a row stands for; `where` is a condition on
    the rows that count.
#}
{% macro deduplicated(log, relation, log_date="log_date", where="true") -%}
    {%- set rule = deduplication(log) -%}
    {{
        one_row_per_key(
            relation=relation,
            where=where,
            key=rule.key,
            order_by=rule.order_by,
            columns=rule.columns,
            group_columns=(
                {"first_log_date": {"one": log_date, "many": "min(" ~ log_date ~ ")"}}
                if has_first_log_date(log)
                else {}
            ),
        )
    }}
{%- endmacro %}
