"""Alerts that keep others quiet while they fire."""
