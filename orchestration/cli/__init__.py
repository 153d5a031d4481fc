"""The commands of `sendmart`, one module each: read the arguments, run stages, set the exit code.

`orchestration.cli.main` puts them together. Not here: what a stage does (`orchestration.stages`), how results are printed
(`orchestration.cli.output`).
"""

import gc

# Start-up creates a million objects and no garbage. To look for it every 700 objects takes a twentieth of a refresh that has
# nothing to do.
gc.set_threshold(max(gc.get_threshold()[0], 100_000), 20, 20)
