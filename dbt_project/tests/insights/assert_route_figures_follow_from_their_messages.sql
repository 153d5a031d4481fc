with
    delivery_routes as (select * from {{ ref("delivery_routes") }}),

    compared as (

        select
            campaign_id,
            country,
            provider,
            concat_ws(
                '; ',
                case
                    when messages <> delivered + pending + soft_bounces + hard_bounces + deleted
                    then 'the statuses do not add up to messages'
                end,
                case
                    when without_receipt > pending then 'there are more messages without a receipt than pending ones'
                end,
                case
                    when timed + clock_skewed <> delivered then 'timed and clock_skewed do not add up to delivered'
                end,
                case
                    when (timed = 0) <> (p50_ms is null and p90_ms is null and p99_ms is null and max_ms is null)
                    then 'there are times without timed messages, or the reverse'
                end,
                case
                    when p50_ms < 0 or p50_ms > p90_ms or p90_ms > p95_ms or p95_ms > p99_ms or p99_ms > max_ms
                    then 'the percentiles are not in ascending order'
                end,
                case
                    when within_10_s > within_60_s or within_60_s > within_1_h or within_1_h > timed
                    then 'within_10_s, within_60_s, within_1_h and timed are not in ascending order'
                end,
                case
                    when (p50_ms <= 60000) <> (2 * within_60_s >= timed) then 'p50_ms and within_60_s do not agree'
                end,
                case
                    when
                        abs(receipt_ratio * messages - (messages - without_receipt)) > 1e-9 * messages
                        or abs(final_ratio * messages - (messages - pending)) > 1e-9 * messages
                        or abs(delivery_rate * messages - delivered) > 1e-9 * messages
                    then 'a rate is not the quotient of its counts'
                end
            ) as problem
        from delivery_routes

    )

select *
from compared
where problem <> ''
