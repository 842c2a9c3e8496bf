"""One training loop for all methods."""
