"""The dbt build: runs the models, and decides which of them are built in full and which rows are checked.

Not here: the models (`dbt_project/`), the lake that they read (`warehouse.lake`), publication (`warehouse.publish`).
"""
