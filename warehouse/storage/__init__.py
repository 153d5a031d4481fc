"""Bytes on disk and in object stores: atomic writes, checksums, objects under s3://."""
