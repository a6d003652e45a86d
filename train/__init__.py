"""Data sets, nets, training, evaluation and export of the weights in models/."""

import stages  # noqa: F401  (first of all: it says what is not installed)
