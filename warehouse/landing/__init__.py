"""The landing zone: which log files lie there, and which days are missing."""
