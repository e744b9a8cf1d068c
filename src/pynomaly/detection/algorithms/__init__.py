"""Detectors that are trained: one a file, found by ``registry``."""
