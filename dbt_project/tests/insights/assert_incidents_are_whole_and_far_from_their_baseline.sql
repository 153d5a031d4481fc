with
    delivery_incidents as (select * from {{ ref("delivery_incidents") }}),

    data_until as (select * from {{ ref("int_data_until") }}),

    incidents as (

        select *, lag(last_day) over (partition by provider, country order by first_day) as previous_last_day
        from delivery_incidents

    ),

    compared as (

        select
            incidents.provider,
            incidents.country,
            incidents.first_day,
            concat_ws(
                '; ',
                case
                    when {{ dbt.datediff("incidents.first_day", "incidents.last_day", "day") }} + 1 <> incidents.days
                    then 'days is not the number of days from first_day to last_day'
                end,
                case
                    when {{ dbt.datediff("incidents.previous_last_day", "incidents.first_day", "day") }} < 2
                    then 'the incident follows another one without a day between them'
                end,
                case
                    when
                        {{ dbt.datediff("incidents.last_day", "data_until.data_until", "day") }} < 3
                        or incidents.is_open
                        <> ({{ dbt.datediff("incidents.last_day", "data_until.data_until", "day") }} = 3)
                    then 'is_open does not tell whether last_day is the last mature day, or the day is not mature'
                end,
                case
                    when incidents.messages < 100 * incidents.days or incidents.failed > incidents.messages
                    then 'there are fewer than 100 messages a day, or more failures than messages'
                end,
                case
                    when
                        abs(incidents.failed - incidents.expected_failed - incidents.excess_failed)
                        > 1e-9 * incidents.failed
                        or abs(incidents.failure_rate * incidents.messages - incidents.failed) > 1e-9 * incidents.failed
                    then 'excess_failed or failure_rate does not follow from failed'
                end,
                case
                    when incidents.peak_score < 4 - 1e-9 or incidents.excess_failed < (0.03 - 1e-9) * incidents.messages
                    then 'the failures are not far enough from their baseline'
                end,
                case when incidents.top_reason is null or incidents.campaigns < 1 then 'no reason or no campaign' end
            ) as problem
        from incidents
        cross join data_until

    )

select *
from compared
where problem <> ''
