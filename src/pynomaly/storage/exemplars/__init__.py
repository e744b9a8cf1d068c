"""Exemplars: kept by the same commits as samples, bounded in number, in a log and a table."""
