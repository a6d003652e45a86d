"""People and moments: who was there for how long, where, and what happened when, from the lines of results.jsonl.

A person is a number of the tracker: one who leaves and comes back has a new one.
"""
