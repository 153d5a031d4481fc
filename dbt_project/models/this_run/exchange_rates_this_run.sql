{{ rows_this_run("exchange_rates", "int_exchange_rates_deduplicated", where=is_rate_into_reporting_currency()) }}
