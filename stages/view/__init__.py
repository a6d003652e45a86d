"""What a person sees: overlay, window, terminal, web page."""
