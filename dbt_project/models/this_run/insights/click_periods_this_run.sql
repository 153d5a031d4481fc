{{ config(materialized="table") }} {{ periods_of_campaigns(ref("clicks_this_run")) }}
