{{ config(materialized="table") }} {{ periods_of_campaigns(ref("clicked_contacts_this_run")) }}
