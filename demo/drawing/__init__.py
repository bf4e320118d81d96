"""Cartoon drawings of kitchen and everyday objects, with Pillow alone."""
