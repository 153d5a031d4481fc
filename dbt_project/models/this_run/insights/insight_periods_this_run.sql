{{ config(materialized="table") }} {{ periods_of_campaigns(ref("insight_campaigns_this_run")) }}
