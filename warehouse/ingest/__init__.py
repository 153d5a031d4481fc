"""From a log file to the lake: readers, staging, load and worker processes.

Not here: the rules that rows must meet (`quality.admission`), the layout of the lake (`warehouse.lake`).
"""
