-- Attaches the published marts, read-only. Run it in the data folder.
attach 'published/sendmart.duckdb' as sendmart (read_only);
use sendmart.marts;
