"""The offline demo: drawn videos, and a tiny CLIP trained on the same drawings."""
