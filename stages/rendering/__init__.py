"""The parts of render: its sources, their outputs, the screens, and the numbers of a run."""
