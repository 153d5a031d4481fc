with
    campaign_metrics as (select * from {{ ref("campaign_metrics") }}),

    campaign_contacts as (select * from {{ ref("int_campaign_contacts_aggregated") }})

-- A campaign whose messages were all skipped has no contacts.
select
    cast(campaign_metrics.campaign_id as string) as campaign_id,
    cast(campaign_metrics.campaign_name as string) as campaign_name,
    cast(campaign_metrics.revenue as decimal(18, 2)) as revenue,
    cast(coalesce(campaign_contacts.unique_sends, 0) as bigint) as unique_sends,
    cast(coalesce(campaign_contacts.unique_deliveries, 0) as bigint) as unique_deliveries,
    cast(coalesce(campaign_contacts.pending, 0) as bigint) as pending,
    cast(coalesce(campaign_contacts.soft_bounces, 0) as bigint) as soft_bounces,
    cast(coalesce(campaign_contacts.hard_bounces, 0) as bigint) as hard_bounces,
    cast(coalesce(campaign_contacts.deleted, 0) as bigint) as deleted,
    cast(campaign_metrics.unsubscribes as bigint) as unsubscribes
from campaign_metrics
left join campaign_contacts on campaign_metrics.campaign_id = campaign_contacts.campaign_id
