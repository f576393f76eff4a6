"""What a study names and an export writes: files of this machine, or objects on S3."""
