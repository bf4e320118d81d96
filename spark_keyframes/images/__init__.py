"""Encoding selected frames and naming the objects that hold them."""
