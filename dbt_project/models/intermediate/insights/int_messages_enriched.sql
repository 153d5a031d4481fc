{{
    config(
        meta={
            "changed_keys": {"enriched_messages_this_run": ["message_id"]},
            "time_column": "sent_at",
            "periods": "message_periods_this_run",
        }
    )
}}

-- depends_on: {{ ref('enriched_messages_this_run') }}, {{ ref('message_periods_this_run') }}
-- depends_on: {{ ref('number_prefixes') }}
{%- set prefix_lengths = prefix_lengths() %}
{%- set messages = ref("int_messages_resolved") %}
{#- A full build reads the messages several times, with few columns each time. DuckDB would keep all columns of one CTE. -#}
{%- set messages_to_enrich = "messages" if is_incremental() else messages %}

with
    {% if is_incremental() -%}
        messages as (

            {{
                rows_with_key(
                    messages,
                    ["message_id"],
                    ref("enriched_messages_this_run"),
                    within_periods_this_run("sent_at", "message_periods_this_run") ~ " and is_sent",
                ) | indent(8)
            }}

        ),

        contacts as (select contact_id from messages group by contact_id),

        -- Their messages, and those of the 168 hours before.
        messages_to_count as (

            select message_id, contact_id, sent_at
            from {{ messages }}
            semi join contacts using (contact_id)
            where is_sent and {{ within_periods_this_run("sent_at", "message_periods_this_run", hours_before=168) }}

        ),

        message_keys as (select *, message_id as message_key from messages),

        message_keys_to_count as (select *, message_id as message_key from messages_to_count),
    {%- else -%}
        message_keys as (

            select *, {{ row_number_in(messages, "message_id") }} as message_key from {{ messages }} where is_sent

        ),

        message_keys_to_count as (

            select contact_id, sent_at, {{ row_number_in(messages, "message_id") }} as message_key
            from {{ messages }}
            where is_sent

        ),
    {%- endif %}

    provider_statuses as (

        select provider_status_id, {{ ascii_lower("provider") }} as provider
        from {{ ref("int_provider_statuses_mapped") }}

    ),

    number_prefixes as (select * from {{ ref("number_prefixes") }}),

    -- A rate holds until the next rate of its currency.
    exchange_rate_periods as (

        select
            currency,
            rate,
            rate_date,
            lead(rate_date, 1, cast('9999-12-31' as date)) over (
                partition by currency order by rate_date
            ) as valid_until
        from {{ ref("int_exchange_rates_deduplicated") }}

    ),

    -- The days on which there was a cost in a currency are few. Each gets its rate once.
    cost_days as (

        select cost_currency, cast(sent_at as date) as sent_date
        from {{ messages_to_enrich }}
        where is_sent and cost is not null and cost_currency <> '{{ var("reporting_currency") }}'
        group by cost_currency, cast(sent_at as date)

    ),

    rates_of_days as (

        select cost_days.cost_currency, cost_days.sent_date, exchange_rate_periods.rate
        from cost_days
        inner join
            exchange_rate_periods
            on cost_days.cost_currency = exchange_rate_periods.currency
            and cost_days.sent_date >= exchange_rate_periods.rate_date
            and cost_days.sent_date < exchange_rate_periods.valid_until

    ),

    -- Other messages to the contact in the 168 hours before; the same instant does not count. Few columns are sorted.
    messages_counted as (

        select
            message_key,
            count(*) over (
                partition by contact_id
                order by {{ microseconds_of("sent_at") }}
                range between 604800000000 preceding and 1 preceding
            ) as messages_before
        from message_keys_to_count

    ),

    first_digits as (

        select substr(mobile_number, 2, {{ prefix_lengths | first }}) as first_digits
        from {{ messages_to_enrich }}
        where is_sent
        group by substr(mobile_number, 2, {{ prefix_lengths | first }})

    ),

    -- The longest prefix wins.
    countries as (

        select
            first_digits.first_digits,
            coalesce({% for length in prefix_lengths %}of_{{ length }}_digits.country, {% endfor %} null) as country
        from first_digits
        {%- for length in prefix_lengths %}
            left join
                number_prefixes as of_{{ length }}_digits
                on substr(first_digits.first_digits, 1, {{ length }}) = of_{{ length }}_digits.prefix
        {%- endfor %}

    ),

    enriched as (

        select
            messages.message_id,
            messages.campaign_id,
            messages.mobile_number,
            messages.sent_at,
            messages.segments,
            messages.delivery_status,
            messages.status_at,
            messages.provider_status_id,
            -- Few messages have no deciding receipt. Lower case, character by character, is expensive.
            coalesce(
                provider_statuses.provider,
                {{ ascii_lower("case when provider_statuses.provider is null then messages.provider end") }}
            ) as provider,
            countries.country,
            case
                when messages.cost_currency = '{{ var("reporting_currency") }}'
                then messages.cost
                else {{ converted_cost("messages.cost", "rates_of_days.rate") }}
            end as converted_cost,
            messages.cost is not null as has_cost,
            messages.has_receipt,
            -- Nothing is known of a message before the message itself.
            case
                when messages.known_log_date is not null then greatest(messages.known_log_date, messages.first_log_date)
            end as known_on,
            messages_counted.messages_before
        from message_keys as messages
        inner join messages_counted on messages.message_key = messages_counted.message_key
        left join provider_statuses on messages.provider_status_id = provider_statuses.provider_status_id
        left join
            rates_of_days
            on messages.cost_currency = rates_of_days.cost_currency
            and cast(messages.sent_at as date) = rates_of_days.sent_date
        left join countries on substr(messages.mobile_number, 2, {{ prefix_lengths | first }}) = countries.first_digits

    )

select
    message_id,
    campaign_id,
    mobile_number,
    sent_at,
    segments,
    delivery_status,
    status_at,
    provider_status_id,
    provider,
    country,
    cast(converted_cost as decimal(18, 6)) as cost,
    has_cost,
    has_receipt,
    known_on,
    least(messages_before, 7) as messages_before
from enriched
