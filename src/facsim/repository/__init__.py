"""Folders of trained models by name and version, on disk or behind a URL, with the checksums of all that is in them."""
