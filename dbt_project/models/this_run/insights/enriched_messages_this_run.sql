{{ config(materialized="table") }}

{#
    A message changes by its sends and receipts, by an exchange rate of its cost, and by the number of other messages to the
    contact in the 168 hours before it. If an attempt of this run has already stored messages, a message that it has moved
    looks the same before and after this attempt: then every message counts as moved.
#}
with
    messages_this_run as (select * from {{ ref("messages_this_run") }}),

    {{ changed_exchange_rate_periods(ref("exchange_rates_this_run"), ref("int_exchange_rates_deduplicated")) }},

    messages_moved as (

        select contact_id, sent_at
        from messages_this_run
        where is_sent
        group by message_id, contact_id, sent_at
        having count(*) = 1 or bool_or(is_repeated)

    ),

    messages_after_them as (

        select messages.message_id, messages.campaign_id
        from {{ ref("int_messages_resolved") }} as messages
        inner join
            messages_moved
            on messages.contact_id = messages_moved.contact_id
            and messages.sent_at > messages_moved.sent_at
            and messages.sent_at <= messages_moved.sent_at + interval 168 hours
        where messages.is_sent and {{ is_after_moved_messages("messages.sent_at") }}

    ),

    messages_with_other_rates as (

        select messages.message_id, messages.campaign_id
        from {{ ref("int_messages_resolved") }} as messages
        inner join
            changed_exchange_rate_periods
            on messages.cost_currency = changed_exchange_rate_periods.currency
            and cast(messages.sent_at as date) >= changed_exchange_rate_periods.valid_from
            and cast(messages.sent_at as date) < changed_exchange_rate_periods.valid_until
        where messages.is_sent and messages.cost is not null and {{ is_after_changed_rates("messages.sent_at") }}

    ),

    messages as (

        select message_id, campaign_id
        from messages_this_run
        where campaign_id is not null

        union all

        select message_id, campaign_id
        from messages_after_them

        union all

        select message_id, campaign_id
        from messages_with_other_rates

    )

select message_id, campaign_id
from messages
group by message_id, campaign_id
