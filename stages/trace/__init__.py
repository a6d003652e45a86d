"""What a process has heard, recorded and played again."""
