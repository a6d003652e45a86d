"""Sockets, their encryption, and what may be said through them."""
