{# A table: it has few rows, and an incremental build would save nothing. -#}
{{ config(materialized="table") }}

with unsubscribes as (select * from {{ ref("int_unsubscribes_attributed") }} where campaign_id is not null)

select campaign_id, count(distinct contact_id) as unsubscribes
from unsubscribes
group by campaign_id
