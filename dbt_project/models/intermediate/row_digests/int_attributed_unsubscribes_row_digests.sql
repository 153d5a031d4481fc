{# A table: it has few rows, and an incremental build would save nothing. -#}
{{ config(materialized="table") }} {{ campaign_row_digest("attributed_unsubscribes") }}
