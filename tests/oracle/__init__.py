"""A second, deliberately slow and simple statement of what the warehouse must hold, to test the pipeline against.

`admission` reads a landing zone into typed rows and rejected ones, `marts` works out every mart from those rows,
`compare` sets two versions of a mart side by side, and `landing_zones` makes up landing zones worth testing with.

Plain Python throughout; pyarrow only reads and writes Parquet. Nothing here imports the pipeline, and the pipeline
imports nothing from here. Where the contract leaves a question open, the comment at the choice begins with "Silent:".
"""
