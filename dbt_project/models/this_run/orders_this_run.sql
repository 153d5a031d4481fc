{{ rows_this_run("orders", "int_orders_deduplicated") }}
