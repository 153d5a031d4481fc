{{ config(materialized="table") }} {{ periods_of_campaigns(ref("what_if_campaigns_this_run")) }}
