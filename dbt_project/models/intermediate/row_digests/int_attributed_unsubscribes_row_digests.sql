{# Few rows: nothing is gained by bringing it up to date. -#}
{{ config(materialized="table") }} {{ campaign_row_digest("attributed_unsubscribes") }}
