"""Helpers for DuckDB: session limits, SQL literals, file health, rewriting, previews, reading from s3://."""
