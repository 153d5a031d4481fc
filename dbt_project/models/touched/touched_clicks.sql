{{ touched_rows('clicks', 'int_clicks_deduplicated') }}
