"""Image-text matching: one model reads a frame and a text together, and says whether they match."""

from spark_keyframes.matcher.blip_module import BlipModule

__all__ = ["BlipModule"]
