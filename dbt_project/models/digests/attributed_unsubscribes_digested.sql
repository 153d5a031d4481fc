{# Few rows: nothing is gained by bringing it up to date. -#}
{{ config(materialized='table') }}

{{ digested('attributed_unsubscribes') }}
