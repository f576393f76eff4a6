"""Keep what was measured: content-addressed records and run folders, in a folder, in memory or on S3."""
