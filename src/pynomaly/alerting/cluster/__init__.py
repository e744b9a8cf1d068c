"""Alerts go to Alertmanagers that run elsewhere, every one of which is told of every alert."""
