"""Rejected rows: their summary, the published quarantine database, and their export for repair."""
