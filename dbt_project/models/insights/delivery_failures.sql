{{
    config(
        materialized=incremental_or_table("incremental"),
        meta={"changed_keys": {"message_campaigns_this_run": ["campaign_id"]}},
    )
}}

-- depends_on: {{ ref('message_campaigns_this_run') }}, {{ ref('message_periods_this_run') }}
with
    messages as ({{ rows_of_message_campaigns("int_messages_enriched", "sent_at") | indent(4) }}),

    messages_resolved as ({{ rows_of_message_campaigns("int_messages_resolved", "sent_at") | indent(4) }}),

    message_contacts as (

        select message_id, contact_id from messages_resolved where delivery_status in {{ failed_statuses() }}

    ),

    provider_statuses as (select * from {{ ref("int_provider_statuses_explained") }}),

    -- Two provider statuses whose providers differ in case are one group, and have the same reason.
    failures as (

        select
            messages.campaign_id,
            messages.delivery_status,
            provider_statuses.provider,
            provider_statuses.provider_status,
            provider_statuses.error_code,
            provider_statuses.reason,
            provider_statuses.is_permanent,
            provider_statuses.advice,
            count(*) as messages,
            count(distinct message_contacts.contact_id) as contacts,
            sum(messages.cost) as cost,
            min(messages.status_at) as first_status_at,
            max(messages.status_at) as last_status_at
        from messages
        inner join message_contacts on messages.message_id = message_contacts.message_id
        left join provider_statuses on messages.provider_status_id = provider_statuses.provider_status_id
        where messages.delivery_status in {{ failed_statuses() }}
        group by
            messages.campaign_id,
            messages.delivery_status,
            provider_statuses.provider,
            provider_statuses.provider_status,
            provider_statuses.error_code,
            provider_statuses.reason,
            provider_statuses.is_permanent,
            provider_statuses.advice

    )

select
    cast(campaign_id as string) as campaign_id,
    cast(delivery_status as string) as delivery_status,
    cast(provider as string) as provider,
    cast(provider_status as string) as provider_status,
    cast(error_code as string) as error_code,
    cast(reason as string) as reason,
    cast(is_permanent as boolean) as is_permanent,
    cast(advice as string) as advice,
    cast(messages as bigint) as messages,
    cast(contacts as bigint) as contacts,
    cast(messages as double) / sum(messages) over (partition by campaign_id) as share_of_failures,
    cast(
        {{
            amount_or_error(
                "cost", "'campaign ' || campaign_id || ': the cost of its failed messages'", "decimal(18, 6)"
            ) | indent(8)
        }} as decimal(18, 6)
    ) as cost,
    cast(first_status_at as timestamp) as first_status_at,
    cast(last_status_at as timestamp) as last_status_at
from failures
