{{ config(materialized="table") }} {{ periods_of_campaigns(ref("message_campaigns_this_run")) }}
