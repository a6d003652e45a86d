"""Processes: how they are started, watched, stopped and started again."""
