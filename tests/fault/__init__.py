"""Faults: the data folder after a kill, on a full disk, with a damaged file; and after the next refresh."""
