"""Reads and writes objects in Volcengine TOS."""
