"""Draws the pictures of the pages that explain: `python -m docs.pictures`, or `make pictures`."""
