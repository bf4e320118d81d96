"""Keyframes that match a text, spread over the video, on Spark."""
