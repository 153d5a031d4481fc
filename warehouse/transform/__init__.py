"""The dbt build: runs the models, and decides what must be rebuilt and which rows are checked."""
