with
    data_until as (select * from {{ ref("int_data_until") }}),

    campaign_maturity as (select * from {{ ref("int_campaign_maturity_aggregated") }}),

    clicks as (select * from {{ ref("int_clicks_classified") }}),

    direct_orders as (select * from {{ ref("int_direct_orders_enriched") }}),

    figures as (select * from (values ('delivered'), ('failed'), ('clicks'), ('direct_orders')) as figures(figure)),

    ages as (

        select *
        from (values {% for age in range(15) %} ({{ age }}){{ ", " if not loop.last }}{% endfor %}) as ages(age_days)

    ),

    -- Clicks and orders are few: they need no aggregate by campaign. Nothing is known of them before their message.
    figures_by_age as (

        select figure, sent_on, age_days, known
        from campaign_maturity

        union all

        select
            'clicks' as figure,
            cast(message_sent_at as date) as sent_on,
            {{ days_until_known("message_sent_at", "greatest(first_log_date, message_first_log_date)") }} as age_days,
            1 as known
        from clicks
        where message_id is not null and {{ is_click_counted() }}

        union all

        select
            'direct_orders' as figure,
            cast(message_sent_at as date) as sent_on,
            {{ days_until_known("message_sent_at", "greatest(first_log_date, message_first_log_date)") }} as age_days,
            1 as known
        from direct_orders
        where message_id is not null

    ),

    -- The last 90 days that ended at least 14 days before the end of the data.
    cohort as (

        select figures_by_age.figure, figures_by_age.age_days, sum(figures_by_age.known) as known
        from figures_by_age
        cross join data_until
        where {{ dbt.datediff("figures_by_age.sent_on", "data_until.data_until", "day") }} between 14 and 103
        group by figures_by_age.figure, figures_by_age.age_days

    ),

    counted as (

        select
            figures.figure,
            ages.age_days,
            coalesce(sum(cohort.known) filter (where cohort.age_days <= ages.age_days), 0) as known,
            coalesce(sum(cohort.known), 0) as final
        from figures
        cross join ages
        left join cohort on figures.figure = cohort.figure
        group by figures.figure, ages.age_days

    )

select
    cast(figure as string) as figure,
    cast(age_days as bigint) as age_days,
    cast(known as bigint) as known,
    cast(final as bigint) as final,
    cast(known as double) / nullif(final, 0) as share
from counted
