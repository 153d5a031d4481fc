{{ rows_this_run("exchange_rates", "int_exchange_rates_deduplicated") }}
