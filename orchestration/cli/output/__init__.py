"""Prints results to the terminal. Not here: what a command does (`orchestration.cli`)."""
