"""Faults: what is left after a kill, a full disk, a file that breaks; and what the next refresh makes of it."""
