"""What a person sees: overlay, window, terminal, page."""
