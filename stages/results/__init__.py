"""The files of a run: their formats, which of them may be replaced, and how they are replaced without loss."""
