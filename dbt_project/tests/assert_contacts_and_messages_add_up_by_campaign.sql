with
    campaign_metrics as (select * from {{ ref("campaign_metrics") }}),

    campaign_overview as (select * from {{ ref("campaign_overview") }}),

    delivery_status as (select * from {{ ref("delivery_status") }}),

    campaign_contacts as (

        select
            campaign_id,
            count(*) as contacts,
            count(*) filter (where delivery_status = 'delivered') as contacts_delivered,
            count(*) filter (where delivery_status = 'pending') as contacts_pending,
            count(*) filter (where delivery_status = 'soft_bounce') as contacts_soft_bounced,
            count(*) filter (where delivery_status = 'hard_bounce') as contacts_hard_bounced,
            count(*) filter (where delivery_status = 'deleted') as contacts_deleted,
            sum(messages_sent) as messages,
            sum(messages_sent) filter (where delivery_status = 'delivered') as messages_of_contacts_delivered,
            max(last_sent_at) as last_sent_at
        from delivery_status
        group by campaign_id

    ),

    -- The full join keeps a campaign that only delivery_status has.
    campaigns as (

        select
            coalesce(campaign_metrics.campaign_id, campaign_contacts.campaign_id) as campaign_id,
            coalesce(campaign_contacts.contacts, 0) as contacts,
            coalesce(campaign_contacts.contacts_delivered, 0) as contacts_delivered,
            coalesce(campaign_contacts.contacts_pending, 0) as contacts_pending,
            coalesce(campaign_contacts.contacts_soft_bounced, 0) as contacts_soft_bounced,
            coalesce(campaign_contacts.contacts_hard_bounced, 0) as contacts_hard_bounced,
            coalesce(campaign_contacts.contacts_deleted, 0) as contacts_deleted,
            coalesce(campaign_contacts.messages, 0) as messages,
            coalesce(campaign_contacts.messages_of_contacts_delivered, 0) as messages_of_contacts_delivered,
            campaign_contacts.last_sent_at as contacts_last_sent_at,
            campaign_metrics.total_sent,
            campaign_metrics.total_delivered,
            campaign_metrics.last_sent_at
        from campaign_metrics
        full join campaign_contacts on campaign_metrics.campaign_id = campaign_contacts.campaign_id

    ),

    compared as (

        select
            campaigns.*,
            campaign_overview.unique_sends,
            campaign_overview.unique_deliveries,
            campaign_overview.pending,
            campaign_overview.soft_bounces,
            campaign_overview.hard_bounces,
            campaign_overview.deleted,
            concat_ws(
                '; ',
                case
                    when campaigns.messages is distinct from campaigns.total_sent
                    then 'total_sent is not the sum of messages_sent in delivery_status'
                end,
                case
                    when campaigns.contacts_last_sent_at is distinct from campaigns.last_sent_at
                    then 'last_sent_at is not the latest of delivery_status'
                end,
                -- A contact counts as delivered by a message of the contact's own.
                case
                    when campaigns.contacts_delivered > campaigns.total_delivered
                    then 'total_delivered is less than the contacts delivered to'
                end,
                case
                    when campaigns.total_delivered > campaigns.messages_of_contacts_delivered
                    then 'total_delivered is more than all messages to the contacts delivered to'
                end,
                case
                    when campaigns.contacts is distinct from campaign_overview.unique_sends
                    then 'unique_sends is not the number of contacts in delivery_status'
                end,
                case
                    when
                        campaigns.contacts_delivered is distinct from campaign_overview.unique_deliveries
                        or campaigns.contacts_pending is distinct from campaign_overview.pending
                        or campaigns.contacts_soft_bounced is distinct from campaign_overview.soft_bounces
                        or campaigns.contacts_hard_bounced is distinct from campaign_overview.hard_bounces
                        or campaigns.contacts_deleted is distinct from campaign_overview.deleted
                    then 'a tile of campaign_overview is not the number of contacts with its status'
                end
            ) as problem
        from campaigns
        left join campaign_overview on campaigns.campaign_id = campaign_overview.campaign_id

    )

select *
from compared
where problem <> ''
