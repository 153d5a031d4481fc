{{ config(meta={"changed_keys": {"message_campaigns_this_run": ["campaign_id"]}}) }}

-- depends_on: {{ ref('message_campaigns_this_run') }}, {{ ref('message_periods_this_run') }}
with
    messages as ({{ rows_of_message_campaigns("int_messages_enriched", "sent_at") | indent(4) }}),

    figures as (

        select
            campaign_id,
            delivery_status = 'delivered' as is_delivered,
            cast(sent_at as date) as sent_on,
            known_on,
            count(*) as known
        from messages
        where delivery_status <> 'pending'
        group by 1, 2, 3, 4

    ),

    ages as (

        select
            campaign_id,
            case when is_delivered then 'delivered' else 'failed' end as figure,
            sent_on,
            {{ days_until_known("sent_on", "known_on") }} as age_days,
            known
        from figures

    )

select campaign_id, cast(figure as string) as figure, sent_on, age_days, cast(sum(known) as bigint) as known
from ages
group by campaign_id, figure, sent_on, age_days
