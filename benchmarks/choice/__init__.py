"""Measures which frames each selector chooses, in drawn videos whose events are known."""
