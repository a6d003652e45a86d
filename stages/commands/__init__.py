"""The commands that a person types: `facepipe` with its subcommands, and `run_pipeline.py`, which is `facepipe run`."""
