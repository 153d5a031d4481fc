-- Opens the published marts, read-only, under a name that clashes with nothing; run it in the data folder.
attach 'published/marts.duckdb' as sendmart (read_only);
use sendmart.marts;
