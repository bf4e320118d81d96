"""CLIP: pixels and texts in, similarities out."""
