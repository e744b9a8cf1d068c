"""Monitoring by the import paths that the guides name."""
