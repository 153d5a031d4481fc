"""Tests of upgrades: a data folder that an older version left, and the present one that takes it over."""
