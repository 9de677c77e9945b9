"""Tandem in containers: the image, and what the demo profile starts in it."""
