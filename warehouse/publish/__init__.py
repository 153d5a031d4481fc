"""Publication of a build: the published file, kept builds and rollback, masking, the pointer, build diffs, audit pages.

Not here: whether a build may be published (`quality.gate`), exports of it (`warehouse.export`).
"""
