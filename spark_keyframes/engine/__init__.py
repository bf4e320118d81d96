"""Runs a module over a stream of rows: in one process, and on Spark."""
