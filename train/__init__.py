"""Data sets, nets, training, evaluation and export of the weights in models/."""
