"""Tests on a Spark cluster of their own: the same marts as on DuckDB. Run by `make test-spark`."""
