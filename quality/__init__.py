"""How contracts and expectations are enforced: admission of rows, audit of a build, the gate before publication.

Frames and facts in, judgements out: nothing here reads or writes a file of the warehouse.

Not here: what the contracts say (`models/`), where rows and results are kept (`warehouse/`), when things run
(`orchestration/`).
"""
