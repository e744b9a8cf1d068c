"""Samples of metrics: appending, selecting, retention, verification."""
