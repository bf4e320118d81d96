"""Reads and writes tos:// objects in Volcano Engine TOS."""
