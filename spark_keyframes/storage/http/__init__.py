"""Reads videos over HTTP and HTTPS."""
