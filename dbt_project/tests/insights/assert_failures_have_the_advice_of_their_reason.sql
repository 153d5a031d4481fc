with
    delivery_failures as (select * from {{ ref("delivery_failures") }}),

    failure_reasons as (select * from {{ ref("failure_reasons") }}),

    reasons_known as (

        select distinct reason, cast(is_permanent as boolean) as is_permanent, advice
        from failure_reasons

        union all

        select 'unknown' as reason, cast(null as boolean) as is_permanent, cast(null as string) as advice

    ),

    reasons_shown as (select distinct reason, is_permanent, advice from delivery_failures)

select reasons_shown.*
from reasons_shown
left join
    reasons_known
    on reasons_shown.reason = reasons_known.reason
    and reasons_shown.is_permanent is not distinct from reasons_known.is_permanent
    and reasons_shown.advice is not distinct from reasons_known.advice
where reasons_known.reason is null
