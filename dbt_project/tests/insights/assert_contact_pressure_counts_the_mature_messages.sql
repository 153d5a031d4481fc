with
    data_until as (select * from {{ ref("int_data_until") }}),

    messages as (select * from {{ ref("int_messages_enriched") }}),

    campaigns as (select * from {{ ref("campaign_metrics") }}),

    contact_pressure as (select * from {{ ref("contact_pressure") }}),

    mature_messages as (

        select
            campaigns.campaign_type,
            count(*) as messages,
            count(*) filter (where messages.delivery_status = 'delivered') as delivered,
            sum(messages.cost) as cost
        from messages
        inner join campaigns on messages.campaign_id = campaigns.campaign_id
        cross join data_until
        where messages.sent_at < data_until.ends_at - interval 72 hours
        group by campaigns.campaign_type

    ),

    pressure_added_up as (

        select
            campaign_type,
            count(*) as numbers_of_messages_before,
            sum(messages) as messages,
            sum(delivered) as delivered,
            sum(cost) as cost
        from contact_pressure
        group by campaign_type

    )

select coalesce(mature_messages.campaign_type, pressure_added_up.campaign_type) as campaign_type
from mature_messages
full join
    pressure_added_up
    on coalesce(mature_messages.campaign_type, 'unknown') = coalesce(pressure_added_up.campaign_type, 'unknown')
where
    mature_messages.messages is distinct from pressure_added_up.messages
    or mature_messages.delivered is distinct from pressure_added_up.delivered
    or mature_messages.cost is distinct from pressure_added_up.cost
    or pressure_added_up.numbers_of_messages_before <> 8
