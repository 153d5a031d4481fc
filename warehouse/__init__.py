"""What lies on disk: the landing zone, the lake, the change feed, builds, publication, exports and settings."""
