{{ rows_this_run("campaigns", "int_campaigns_deduplicated") }}
