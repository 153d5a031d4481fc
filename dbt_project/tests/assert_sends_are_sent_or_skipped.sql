with
    sends as (select count(*) as sends from {{ ref("int_messages_resolved") }} where campaign_id is not null),

    sent as (select coalesce(sum(total_sent), 0) as sent from {{ ref("campaign_metrics") }}),

    skipped as (select count(*) as skipped from {{ ref("skip_reasons") }})

select sends.sends, sent.sent, skipped.skipped
from sends
cross join sent
cross join skipped
where sends.sends <> sent.sent + skipped.skipped
