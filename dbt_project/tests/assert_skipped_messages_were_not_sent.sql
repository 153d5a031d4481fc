with
    skip_reasons as (select * from {{ ref("skip_reasons") }}),

    delivery_status as (select * from {{ ref("delivery_status") }}),

    compared as (

        select
            skip_reasons.campaign_id,
            skip_reasons.message_id,
            concat_ws(
                '; ',
                case when delivery_status.message_id is not null then 'the message was sent, too' end,
                case
                    when coalesce(trim(skip_reasons.skip_reason_details), '') = '' then 'skip_reason_details is blank'
                end
            ) as problem
        from skip_reasons
        left join delivery_status on skip_reasons.message_id = delivery_status.message_id

    )

select *
from compared
where problem <> ''
