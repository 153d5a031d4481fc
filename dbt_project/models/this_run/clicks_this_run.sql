{{ rows_this_run("clicks", "int_clicks_deduplicated") }}
