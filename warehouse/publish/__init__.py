"""Publication of a build: the published file, kept builds and rollback, masking, the pointer, build diffs, audit pages."""
