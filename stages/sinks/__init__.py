"""Sinks: what finished frames are written to, in order, and how it is all made whole again after a death."""
