"""Downloads over http:// and https://."""
