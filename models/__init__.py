"""The data contracts: columns, types and rules of every raw log (`logs`) and published mart (`marts`). No I/O, Dagster or dbt.

Not here: the enforcement of the contracts (`quality/`), the dbt models (`dbt_project/`).
"""

import warnings

# pandera imports PySpark if it is installed; nothing here uses it.
warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
