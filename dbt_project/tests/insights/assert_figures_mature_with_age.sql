with
    figure_maturity as (select * from {{ ref("figure_maturity") }}),

    ages as (

        select
            *,
            lag(known, 1, 0) over (partition by figure order by age_days) as known_before,
            min(final) over (partition by figure) as least_final,
            count(*) over () as all_rows
        from figure_maturity

    ),

    compared as (

        select
            figure,
            age_days,
            concat_ws(
                '; ',
                case when all_rows <> 60 then 'figure_maturity does not have 60 rows' end,
                case
                    when
                        figure not in ('delivered', 'failed', 'clicks', 'direct_orders')
                        or age_days not between 0
                        and 14
                    then 'the figure or the age is none of those that there are'
                end,
                case when known < known_before then 'less is known than at the age before' end,
                case when known > final then 'more is known than there is' end,
                case when final <> least_final then 'final is not the same at each age' end,
                case
                    when (share is null) <> (final = 0) or abs(share * final - known) > 1e-9 * final
                    then 'share is not known / final'
                end
            ) as problem
        from ages

    )

select *
from compared
where problem <> ''

union all

select null as figure, null as age_days, 'figure_maturity has no rows' as problem
where not exists (select 1 from figure_maturity)
