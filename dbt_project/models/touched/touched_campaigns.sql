{{ touched_rows('campaigns', 'int_campaigns_deduplicated') }}
