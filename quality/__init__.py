"""How contracts and expectations are enforced: admission of rows, audit of a build, release gate. No file of the warehouse is
read.

Not here: the contracts (`models/`), storage (`warehouse/`), when these functions run (`orchestration/`).
"""
