with
    campaign_metrics as (select * from {{ ref("campaign_metrics") }}),

    campaigns as (select * from {{ ref("campaigns") }}),

    skip_reasons as (select * from {{ ref("skip_reasons") }}),

    attributed_unsubscribes as (select * from {{ ref("attributed_unsubscribes") }}),

    campaign_names as (

        select distinct 'skip_reasons' as mart, campaign_id, campaign_name
        from skip_reasons

        union all

        select distinct 'attributed_unsubscribes' as mart, campaign_id, campaign_name
        from attributed_unsubscribes

    )

select campaign_names.mart, campaign_names.campaign_id, 'campaign_name is not that of campaign_metrics' as problem
from campaign_names
left join campaign_metrics on campaign_names.campaign_id = campaign_metrics.campaign_id
where campaign_names.campaign_name is distinct from campaign_metrics.campaign_name

union all

-- A campaign that the campaigns log does not know has no details.
select
    'campaigns' as mart,
    campaign_metrics.campaign_id,
    'campaign_name, campaign_type or last_modified_by is not that of campaign_metrics' as problem
from campaign_metrics
left join campaigns on campaign_metrics.campaign_id = campaigns.campaign_id
where
    campaign_metrics.campaign_name is distinct from campaigns.campaign_name
    or campaign_metrics.campaign_type is distinct from campaigns.campaign_type
    or campaign_metrics.last_modified_by is distinct from campaigns.last_modified_by
