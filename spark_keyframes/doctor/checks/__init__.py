"""The doctor's checks, one per file; `registry.py` has their order."""
