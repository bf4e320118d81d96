"""Which candidates become keyframes."""
