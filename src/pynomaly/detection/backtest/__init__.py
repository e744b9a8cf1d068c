"""Backtests: which anomalies would have been told of stored history, at which budget."""
