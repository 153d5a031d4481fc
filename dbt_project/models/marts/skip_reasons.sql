{{
    config(
        materialized=incremental_or_table("incremental"),
        meta={"changed_keys": {"messages_this_run": ["message_id"], "campaigns_this_run": ["campaign_id"]}},
    )
}}

-- depends_on: {{ ref('messages_this_run') }}, {{ ref('campaigns_this_run') }}
with
    campaigns as (select * from {{ ref("int_campaigns_deduplicated") }}),

    skipped as (

        {% if is_incremental() -%}
            select campaign_id, contact_id, message_id, mobile_number, skip_reason, sent_at
            from {{ ref("messages_this_run") }}
            where row_version = 'current' and skip_reason is not null

            union all

            -- The stored rows of renamed campaigns.
            select campaign_id, contact_id, message_id, mobile_number, skip_reason, skipped_at as sent_at
            from {{ this }}
            semi join {{ ref("campaigns_this_run") }} using (campaign_id)
            anti join {{ ref("messages_this_run") }} using (message_id)
        {%- else -%}
            select campaign_id, contact_id, message_id, mobile_number, skip_reason, sent_at
            from {{ ref("int_messages_resolved") }}
            where skip_reason is not null
        {%- endif %}

    )

select
    cast(skipped.campaign_id as string) as campaign_id,
    cast(campaigns.campaign_name as string) as campaign_name,
    cast(skipped.contact_id as string) as contact_id,
    cast(skipped.message_id as string) as message_id,
    cast(skipped.mobile_number as string) as mobile_number,
    cast(skipped.skip_reason as string) as skip_reason,
    cast(
        case
            skipped.skip_reason
            when 'SkippedNoContent'
            then 'The campaign has no content.'
            when 'SkippedHypersonalization'
            then 'Liquid markup in the campaign said to leave this contact out.'
            when 'FailedHypersonalization'
            then 'The Liquid markup in the campaign took too long to load.'
            when 'ContentTooLong'
            then 'The message was longer than the maximum number of segments set, or than 2,000 characters.'
        end as string
    ) as skip_reason_details,
    cast(skipped.sent_at as timestamp) as skipped_at
from skipped
left join campaigns on skipped.campaign_id = campaigns.campaign_id
