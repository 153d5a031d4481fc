{{ touched_rows('exchange_rates', 'int_exchange_rates_deduplicated') }}
