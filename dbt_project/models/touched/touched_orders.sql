{{ touched_rows('orders', 'int_orders_deduplicated') }}
