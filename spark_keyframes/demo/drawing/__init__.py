"""Draws cartoons of kitchen and everyday objects, with Pillow only."""
