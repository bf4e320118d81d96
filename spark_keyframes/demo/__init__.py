"""The offline demo: drawn videos, and a tiny CLIP trained on the same drawings."""

from spark_keyframes.demo.model import MODEL, MODELS, copy_model

__all__ = ["MODEL", "MODELS", "copy_model"]
