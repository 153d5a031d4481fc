{{ touched_rows('unsubscribes', 'int_unsubscribes_deduplicated') }}
