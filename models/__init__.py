"""The data contracts: the columns, types and rules of every raw log and every published mart.

There is one pandera model per log (`logs`) and per mart (`marts`), with the enumerations they share (`enums`) and the parsers
from text to types (`text_types`). No I/O, Dagster or dbt. Everything else takes its columns, types and descriptions from here,
or is tested against them.

Not here: the enforcement of the contracts (`quality/`), the dbt models (`dbt_project/`).
"""

import warnings

# pandera imports PySpark if it is installed; nothing here uses it.
warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
