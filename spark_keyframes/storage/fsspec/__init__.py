"""Reads and writes through fsspec and the packages of its schemes."""
