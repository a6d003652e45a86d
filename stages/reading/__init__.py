"""What a run has left, read for the commands that tell of it: its lines, tables of them, and their common options."""
