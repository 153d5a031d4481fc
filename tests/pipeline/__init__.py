"""Tests of the whole pipeline: real files in, the real job run, published marts and exports looked at."""
