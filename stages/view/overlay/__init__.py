"""Boxes and labels on a picture."""
