"""The oracle: an independent, slow and simple implementation of the warehouse, to compare the pipeline with.

`admission` reads a landing zone into accepted and rejected rows, `marts` and `insights` compute every mart from those rows,
by the `rules`, `compare` compares two versions of a mart, and `landing_zones` generates landing zones for tests.

It is plain Python; pyarrow only reads and writes Parquet. It does not import the pipeline, nor the pipeline it. Where the
contract leaves a question open, the comment at the choice begins with "Silent:".
"""
