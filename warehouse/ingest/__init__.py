"""From a log file to the lake: readers, staging, load, workers, and the arrivals that start a refresh.

Not here: the rules for rows (`quality.admission`), the layout of the lake (`warehouse.lake`).
"""
