{{ rows_this_run("unsubscribes", "int_unsubscribes_deduplicated") }}
