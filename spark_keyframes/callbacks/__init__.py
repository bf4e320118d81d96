"""Callbacks that are ready for use."""

from spark_keyframes.callbacks.contact_sheets import ContactSheets
from spark_keyframes.callbacks.rate_limit import RateLimit

__all__ = ["ContactSheets", "RateLimit"]
