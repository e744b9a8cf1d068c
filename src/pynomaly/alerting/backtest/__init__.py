"""Backtests of routing: who would have been told of alerts of the past, how often, and when."""
