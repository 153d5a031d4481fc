{%- set prefix_lengths = prefix_lengths() -%}

-- depends_on: {{ ref('number_prefixes') }}
with
    messages as (select * from {{ ref("int_messages_resolved") }} where is_sent),

    provider_statuses as (select * from {{ ref("int_provider_statuses_mapped") }}),

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
        from messages
        where cost is not null and cost_currency <> '{{ var("reporting_currency") }}'
        group by cost_currency, cast(sent_at as date)

    ),

    rates_of_days as (

        select cost_days.cost_currency, cost_days.sent_date, exchange_rate_periods.rate, exchange_rate_periods.rate_date
        from cost_days
        inner join
            exchange_rate_periods
            on cost_days.cost_currency = exchange_rate_periods.currency
            and cost_days.sent_date >= exchange_rate_periods.rate_date
            and cost_days.sent_date < exchange_rate_periods.valid_until

    ),

    -- Other messages to the contact in the seven days before, which end before the same instant.
    messages_counted as (

        select
            message_id,
            count(*) over (
                partition by contact_id
                order by {{ microseconds_of("sent_at") }}
                range between 604800000000 preceding and 1 preceding
            ) as messages_before
        from messages

    ),

    enriched as (

        select
            messages.message_id,
            messages.campaign_id,
            messages.contact_id,
            messages.mobile_number,
            messages.sent_at,
            messages.segments,
            messages.delivery_status,
            messages.status_at,
            messages.provider_status_id,
            {{ ascii_lower("coalesce(provider_statuses.provider, messages.provider)") }} as provider,
            coalesce({% for length in prefix_lengths %}of_{{ length }}_digits.country, {% endfor %} null) as country,
            case
                when messages.cost_currency = '{{ var("reporting_currency") }}'
                then messages.cost
                else {{ converted_cost("messages.cost", "rates_of_days.rate") }}
            end as converted_cost,
            messages.cost is not null as has_cost,
            messages.cost_currency,
            rates_of_days.rate_date as cost_rate_date,
            messages.has_receipt,
            messages.first_log_date,
            messages.known_log_date,
            messages_counted.messages_before
        from messages
        inner join messages_counted on messages.message_id = messages_counted.message_id
        left join provider_statuses on messages.provider_status_id = provider_statuses.provider_status_id
        left join
            rates_of_days
            on messages.cost_currency = rates_of_days.cost_currency
            and cast(messages.sent_at as date) = rates_of_days.sent_date
        {%- for length in prefix_lengths %}
            left join
                number_prefixes as of_{{ length }}_digits
                on substr(messages.mobile_number, 2, {{ length }}) = of_{{ length }}_digits.prefix
        {%- endfor %}

    )

select
    message_id,
    campaign_id,
    contact_id,
    mobile_number,
    sent_at,
    segments,
    delivery_status,
    status_at,
    provider_status_id,
    provider,
    country,
    cast(converted_cost as decimal(18, 6)) as cost,
    case
        when not has_cost then 'none' when converted_cost is null then 'unconverted' else 'converted'
    end as cost_state,
    case when has_cost then cost_currency end as cost_currency,
    case when has_cost then cost_rate_date end as cost_rate_date,
    has_receipt,
    first_log_date,
    known_log_date,
    least(messages_before, 7) as messages_before
from enriched {{ stored_in_order_of("sent_at") }}
