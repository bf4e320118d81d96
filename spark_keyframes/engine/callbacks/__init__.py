"""Callbacks: hooks around each video, and two that are ready for use."""

from spark_keyframes.engine.callbacks.base import Callback, Callbacks
from spark_keyframes.engine.callbacks.contact_sheets import ContactSheets
from spark_keyframes.engine.callbacks.rate_limit import RateLimit

__all__ = ["Callback", "Callbacks", "ContactSheets", "RateLimit"]
