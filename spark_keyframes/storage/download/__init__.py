"""Downloads objects from servers: in parts, with retries, within the limits."""
