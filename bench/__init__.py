"""Measurements, one command each; `python -m bench` runs them all and prints one table. Nothing is asserted.

Machines are shared and noisy. So whatever is compared runs in turn, several rounds of it, and what counts is the median
of the ratios within the rounds; or it is a cost in seconds of processor time, which a neighbour disturbs less.
"""

import stages  # noqa: F401  (first of all: it says what is not installed)
