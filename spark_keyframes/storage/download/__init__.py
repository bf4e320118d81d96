"""Downloads of remote objects: ranges, retries and limits."""
