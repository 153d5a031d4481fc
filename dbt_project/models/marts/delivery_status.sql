{{
    config(
        materialized=brought_up_to_date_as('incremental'),
        meta={'touched_by': {'touched_messages': ['campaign_id', 'contact_id']}, 'within': 'last_sent_at'},
    )
}}

-- depends_on: {{ ref('touched_messages') }}, {{ ref('touched_campaign_periods') }}

with {% if is_incremental() -%}
touched_contacts as (

    select distinct
        campaign_id,
        contact_id
    from {{ ref('touched_messages') }}

),

messages as (

    {{ rows_with_key(
            ref('int_messages_resolved'), ['campaign_id', 'contact_id'], 'touched_contacts', within_touched_periods('sent_at')
        ) | indent(4) }}

),

{% endif -%}
-- The deciding message of a contact in a campaign: the one delivered first, else the one sent last.
campaign_contacts as (

    {{
        one_row_per_key(
            relation='messages' if is_incremental() else ref('int_messages_resolved'),
            where='is_sent',
            key=['campaign_id', 'contact_id'],
            order_by=[
                "case when delivery_status = 'delivered' then 0 else 1 end",
                "case when delivery_status = 'delivered' then status_at end nulls last",
                "case when delivery_status = 'delivered' then message_id end nulls last",
                'sent_at desc',
                'message_id desc',
            ],
            columns=[
                'campaign_id',
                'contact_id',
                'mobile_number',
                'delivery_status',
                'message_id',
                'status_at',
                'provider_status_number',
            ],
            of_group={
                'messages_sent': {'one': '1', 'many': 'count(*)'},
                'last_sent_at': {'one': 'sent_at', 'many': 'max(sent_at)'},
            },
        ) | indent(4)
    }}

),

provider_statuses as (

    select * from {{ ref('int_provider_statuses_mapped') }}

)

select
    cast(campaign_contacts.campaign_id as string) as campaign_id,
    cast(campaign_contacts.contact_id as string) as contact_id,
    cast(campaign_contacts.mobile_number as string) as mobile_number,
    cast(campaign_contacts.delivery_status as string) as delivery_status,
    cast(campaign_contacts.messages_sent as bigint) as messages_sent,
    cast(campaign_contacts.message_id as string) as message_id,
    cast(campaign_contacts.last_sent_at as timestamp) as last_sent_at,
    cast(campaign_contacts.status_at as timestamp) as status_at,
    cast(provider_statuses.provider as string) as provider,
    cast(provider_statuses.provider_status as string) as provider_status,
    cast(provider_statuses.error_code as string) as error_code
from campaign_contacts
left join provider_statuses
    on campaign_contacts.provider_status_number = provider_statuses.provider_status_number
