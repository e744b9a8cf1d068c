"""Watched queries: expressions whose series have detectors that were trained on their history."""
