"""What one run is, what is looked at before it is started, and what is told at its end."""
