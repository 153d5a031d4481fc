with
    data_until as (select * from {{ ref("int_data_until") }}),

    campaign_maturity as (select * from {{ ref("int_campaign_maturity_aggregated") }}),

    figures as (select * from (values ('delivered'), ('failed'), ('clicks'), ('direct_orders')) as figures(figure)),

    ages as (

        select *
        from (values {% for age in range(15) %} ({{ age }}){{ ", " if not loop.last }}{% endfor %}) as ages(age_days)

    ),

    -- The last 90 days that ended at least 14 days before the end of the data.
    cohort as (

        select campaign_maturity.figure, campaign_maturity.age_days, sum(campaign_maturity.known) as known
        from campaign_maturity
        cross join data_until
        where {{ dbt.datediff("campaign_maturity.sent_on", "data_until.data_until", "day") }} between 14 and 103
        group by campaign_maturity.figure, campaign_maturity.age_days

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
