"""Reading videos and writing images, by the scheme of their URL."""
