with campaign_metrics as (

    select * from {{ ref('campaign_metrics') }}

),

campaign_overview as (

    select * from {{ ref('campaign_overview') }}

),

delivery_status as (

    select * from {{ ref('delivery_status') }}

),

campaign_contacts as (

    select
        campaign_id,
        count(*) as contacts,
        count(*) filter (where delivery_status = 'delivered') as contacts_reached,
        sum(messages_sent) as messages,
        max(last_sent_at) as last_sent_at
    from delivery_status
    group by campaign_id

),

-- A campaign that is nowhere but in delivery_status comes out as well.
campaigns as (

    select
        coalesce(campaign_metrics.campaign_id, campaign_contacts.campaign_id) as campaign_id,
        coalesce(campaign_contacts.contacts, 0) as contacts,
        coalesce(campaign_contacts.contacts_reached, 0) as contacts_reached,
        coalesce(campaign_contacts.messages, 0) as messages,
        campaign_contacts.last_sent_at as contacts_last_sent_at,
        campaign_metrics.total_sent,
        campaign_metrics.total_delivered,
        campaign_metrics.last_sent_at
    from campaign_metrics
    full join campaign_contacts
        on campaign_metrics.campaign_id = campaign_contacts.campaign_id

)

select
    campaigns.*,
    campaign_overview.unique_sends,
    campaign_overview.unique_deliveries
from campaigns
left join campaign_overview
    on campaigns.campaign_id = campaign_overview.campaign_id
where
    campaigns.contacts is distinct from campaign_overview.unique_sends
    or campaigns.contacts_reached is distinct from campaign_overview.unique_deliveries
    or campaigns.messages is distinct from campaigns.total_sent
    or campaigns.contacts_last_sent_at is distinct from campaigns.last_sent_at
    -- Who was reached was reached by a message of their own.
    or campaigns.contacts_reached > campaigns.total_delivered
