with campaign_contacts as (

    select * from {{ ref('int_campaign_contacts_resolved') }}

),

provider_statuses as (

    select * from {{ ref('int_provider_statuses_mapped') }}

)

select
    cast(campaign_contacts.campaign_id as varchar) as campaign_id,
    cast(campaign_contacts.contact_id as varchar) as contact_id,
    cast(campaign_contacts.mobile_number as varchar) as mobile_number,
    cast(campaign_contacts.delivery_status as varchar) as delivery_status,
    cast(campaign_contacts.messages_sent as bigint) as messages_sent,
    cast(campaign_contacts.message_id as varchar) as message_id,
    cast(campaign_contacts.last_sent_at as timestamp) as last_sent_at,
    cast(campaign_contacts.status_at as timestamp) as status_at,
    cast(provider_statuses.provider as varchar) as provider,
    cast(provider_statuses.provider_status as varchar) as provider_status,
    cast(provider_statuses.error_code as varchar) as error_code
from campaign_contacts
left join provider_statuses
    on campaign_contacts.provider_status_number = provider_statuses.provider_status_number
