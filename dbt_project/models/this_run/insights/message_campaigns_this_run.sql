{{ config(materialized="table") }} select campaign_id from {{ ref("enriched_messages_this_run") }} group by campaign_id
