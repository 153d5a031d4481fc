"""Settings, the layout of the data folder, and the permissions of the files that are written there."""
