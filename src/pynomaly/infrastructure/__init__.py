"""The import paths that the guides name; everything here is defined elsewhere."""
