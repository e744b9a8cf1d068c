"""Alerts that nobody is told of for a while."""
