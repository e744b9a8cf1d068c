"""Alerts that begin and end again and again."""
