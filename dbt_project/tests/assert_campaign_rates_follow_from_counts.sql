with
    campaign_metrics as (select * from {{ ref("campaign_metrics") }}),

    expected as (

        select
            *,
            cast(unique_clickers as double) / nullif(total_delivered, 0) as expected_click_to_delivered_rate,
            cast(direct_orders as double)
            / nullif({{ var("conversion_rate_denominator") }}, 0) as expected_conversion_rate
        from campaign_metrics

    ),

    compared as (

        select
            campaign_id,
            total_sent,
            total_segments,
            total_clicks,
            unique_clickers,
            click_to_delivered_rate,
            expected_click_to_delivered_rate,
            conversion_rate,
            expected_conversion_rate,
            concat_ws(
                '; ',
                case when total_segments < total_sent then 'total_segments is less than total_sent' end,
                case
                    when (total_clicks > 0) <> (unique_clickers > 0)
                    then 'there are clicks without clickers, or clickers without clicks'
                end,
                case
                    when
                        (click_to_delivered_rate is null) <> (expected_click_to_delivered_rate is null)
                        or abs(click_to_delivered_rate - expected_click_to_delivered_rate) >= 1e-9
                    then 'click_to_delivered_rate is not unique_clickers / total_delivered'
                end,
                case
                    when
                        (conversion_rate is null) <> (expected_conversion_rate is null)
                        or abs(conversion_rate - expected_conversion_rate) >= 1e-9
                    then 'conversion_rate is not direct_orders / {{ var("conversion_rate_denominator") }}'
                end
            ) as problem
        from expected

    )

select *
from compared
where problem <> ''
