"""Judges of what is normal: series in, verdict series out."""
