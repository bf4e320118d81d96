"""Runs the engine on Spark."""
