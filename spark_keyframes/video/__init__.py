"""From the value of a row to frames."""
