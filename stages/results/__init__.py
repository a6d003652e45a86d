"""What a run leaves on the disk: which files are its own, and how they are replaced without loss."""
