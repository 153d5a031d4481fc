"""How contracts and expectations are enforced: admission of rows, audit of a build, release gate.

Functions take frames and facts and return results. No file of the warehouse is read or written here.

Not here: the contracts (`models/`), where rows and results are stored (`warehouse/`), when these functions run
(`orchestration/`).
"""
