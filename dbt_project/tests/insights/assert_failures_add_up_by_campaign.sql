with
    delivery_failures as (select * from {{ ref("delivery_failures") }}),

    delivery_routes as (select * from {{ ref("delivery_routes") }}),

    campaign_metrics as (select * from {{ ref("campaign_metrics") }}),

    campaign_economics as (select * from {{ ref("campaign_economics") }}),

    campaign_failures as (

        select
            campaign_id,
            sum(messages) as messages,
            sum(cost) as cost,
            sum(share_of_failures) as share_of_failures,
            count(*) filter (where contacts not between 1 and messages) as rows_with_wrong_contacts,
            count(*) filter (where first_status_at > last_status_at) as rows_with_wrong_times
        from delivery_failures
        group by campaign_id

    ),

    campaign_pending as (select campaign_id, sum(pending) as pending from delivery_routes group by campaign_id),

    compared as (

        select
            coalesce(campaign_metrics.campaign_id, campaign_failures.campaign_id) as campaign_id,
            concat_ws(
                '; ',
                case when campaign_metrics.campaign_id is null then 'campaign_metrics does not have the campaign' end,
                case
                    when
                        coalesce(campaign_failures.messages, 0)
                        <> campaign_metrics.total_sent
                        - campaign_metrics.total_delivered
                        - coalesce(campaign_pending.pending, 0)
                    then 'the failed messages are not total_sent less delivered and pending ones'
                end,
                case
                    when coalesce(campaign_failures.cost, 0) <> coalesce(campaign_economics.cost_of_failed, 0)
                    then 'the cost of the failed messages is not cost_of_failed'
                end,
                case
                    when abs(campaign_failures.share_of_failures - 1) > 1e-9
                    then 'the shares of the failures do not add up to 1'
                end,
                case
                    when campaign_failures.rows_with_wrong_contacts > 0
                    then 'a row has more contacts than messages, or none'
                end,
                case when campaign_failures.rows_with_wrong_times > 0 then 'a last failure is before the first' end
            ) as problem
        from campaign_metrics
        full join campaign_failures on campaign_metrics.campaign_id = campaign_failures.campaign_id
        left join campaign_pending on campaign_metrics.campaign_id = campaign_pending.campaign_id
        left join campaign_economics on campaign_metrics.campaign_id = campaign_economics.campaign_id

    )

select *
from compared
where problem <> ''
