"""The data contracts: what a row of every raw log and of every published mart must be.

Here: one pandera model per log (`logs`) and per mart (`marts`), the closed sets of words they use (`vocabulary`), and
how a value written as text is read as its type (`text`). No I/O, no SQL, no Dagster, no dbt: everything else derives
its column lists, types and meanings from here or is tested against it.

Not here: how the contracts are enforced (`quality/`), and the dbt models, which keep dbt's own layout in `dbt_project/`.
"""

import warnings

# pandera imports it wherever Spark is installed; nothing here uses it.
warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
