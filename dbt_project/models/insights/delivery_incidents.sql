with
    outcomes as (select * from {{ ref("int_campaign_outcomes_aggregated") }}),

    provider_statuses as (select * from {{ ref("int_provider_statuses_explained") }}),

    data_until as (select * from {{ ref("int_data_until") }}),

    -- Mature days: they ended at least 72 hours before the end of the data.
    mature_outcomes as (

        select outcomes.*, {{ dbt.datediff("cast('1970-01-01' as date)", "outcomes.sent_on", "day") }} as day_number
        from outcomes
        cross join data_until
        where {{ dbt.datediff("outcomes.sent_on", "data_until.data_until", "day") }} >= 3

    ),

    series_days as (

        select
            provider,
            country,
            sent_on,
            day_number,
            sum(messages) as messages,
            coalesce(sum(messages) filter (where delivery_status in {{ failed_statuses() }}), 0) as failed
        from mature_outcomes
        group by provider, country, sent_on, day_number

    ),

    -- The baseline of a day: the 28 calendar days before it, even if some of them were incidents.
    baselines as (

        select
            provider,
            country,
            sent_on,
            day_number,
            cast(messages as decimal(38, 0)) as messages,
            cast(failed as decimal(38, 0)) as failed,
            cast(
                sum(messages) over (
                    partition by provider, country order by day_number range between 28 preceding and 1 preceding
                ) as decimal(38, 0)
            ) as baseline_messages,
            cast(
                sum(failed) over (
                    partition by provider, country order by day_number range between 28 preceding and 1 preceding
                ) as decimal(38, 0)
            ) as baseline_failed
        from series_days

    ),

    tested_days as (

        select
            *,
            messages + baseline_messages as all_messages,
            failed + baseline_failed as all_failed,
            -- The difference of the two failure rates, times both numbers of messages.
            failed * baseline_messages - baseline_failed * messages as rate_difference
        from baselines
        where messages >= 100 and baseline_messages >= 1000

    ),

    -- The z-score of two proportions. It is 0 where all messages failed, or none.
    scored_days as (

        select
            *,
            case
                when all_failed = 0 or all_failed = all_messages
                then 0.0
                else
                    cast(rate_difference as double)
                    / cast(messages as double)
                    / cast(baseline_messages as double)
                    / sqrt(
                        cast(all_failed as double)
                        / cast(all_messages as double)
                        * (cast(all_messages - all_failed as double) / cast(all_messages as double))
                        * (1 / cast(messages as double) + 1 / cast(baseline_messages as double))
                    )
            end as score
        from tested_days

    ),

    -- The limits are compared in integers. A score far from its limit is compared as a double, because the integers
    -- could be too large for their type.
    incident_days as (

        select *, day_number - row_number() over (partition by provider, country order by day_number) as run_number
        from scored_days
        where
            100 * rate_difference >= 3 * messages * baseline_messages
            and case
                when score >= 5
                then true
                when score <= 3
                then false
                else
                    rate_difference * rate_difference * all_messages
                    >= 16 * messages * baseline_messages * all_failed * (all_messages - all_failed)
            end

    ),

    incident_outcomes as (

        select
            incident_days.provider,
            incident_days.country,
            incident_days.run_number,
            mature_outcomes.campaign_id,
            mature_outcomes.provider_status_id,
            mature_outcomes.messages
        from incident_days
        inner join
            mature_outcomes
            on incident_days.day_number = mature_outcomes.day_number
            and incident_days.provider is not distinct from mature_outcomes.provider
            and incident_days.country is not distinct from mature_outcomes.country

    ),

    incident_campaigns as (

        select provider, country, run_number, count(distinct campaign_id) as campaigns
        from incident_outcomes
        group by provider, country, run_number

    ),

    incident_reasons as (

        select
            incident_outcomes.provider,
            incident_outcomes.country,
            incident_outcomes.run_number,
            provider_statuses.reason,
            sum(incident_outcomes.messages) as messages
        from incident_outcomes
        inner join provider_statuses on incident_outcomes.provider_status_id = provider_statuses.provider_status_id
        group by
            incident_outcomes.provider,
            incident_outcomes.country,
            incident_outcomes.run_number,
            provider_statuses.reason

    ),

    top_reasons as (

        select provider, country, run_number, reason
        from incident_reasons
        qualify row_number() over (partition by provider, country, run_number order by messages desc, reason) = 1

    ),

    -- Expected failures are added up as decimals, so that the sum does not depend on the order of the days.
    incidents as (

        select
            provider,
            country,
            run_number,
            min(sent_on) as first_day,
            max(sent_on) as last_day,
            count(*) as days,
            sum(messages) as messages,
            sum(failed) as failed,
            cast(
                sum(
                    cast(
                        cast(messages as double)
                        * cast(baseline_failed as double)
                        / cast(baseline_messages as double) as decimal(38, 18)
                    )
                ) as double
            ) as expected_failed,
            min_by(baseline_failed, day_number) as first_baseline_failed,
            min_by(baseline_messages, day_number) as first_baseline_messages,
            max(score) as peak_score
        from incident_days
        group by provider, country, run_number

    )

select
    cast(incidents.provider as string) as provider,
    cast(incidents.country as string) as country,
    cast(incidents.first_day as date) as first_day,
    cast(incidents.last_day as date) as last_day,
    cast(incidents.days as bigint) as days,
    cast(incidents.messages as bigint) as messages,
    cast(incidents.failed as bigint) as failed,
    cast(incidents.expected_failed as double) as expected_failed,
    cast(incidents.failed as double) - incidents.expected_failed as excess_failed,
    cast(incidents.failed as double) / cast(incidents.messages as double) as failure_rate,
    cast(incidents.first_baseline_failed as double)
    / cast(incidents.first_baseline_messages as double) as baseline_rate,
    cast(incidents.peak_score as double) as peak_score,
    cast(top_reasons.reason as string) as top_reason,
    cast(incident_campaigns.campaigns as bigint) as campaigns,
    {{ dbt.datediff("incidents.last_day", "data_until.data_until", "day") }} = 3 as is_open
from incidents
cross join data_until
left join
    incident_campaigns
    on incidents.run_number = incident_campaigns.run_number
    and incidents.provider is not distinct from incident_campaigns.provider
    and incidents.country is not distinct from incident_campaigns.country
left join
    top_reasons
    on incidents.run_number = top_reasons.run_number
    and incidents.provider is not distinct from top_reasons.provider
    and incidents.country is not distinct from top_reasons.country
