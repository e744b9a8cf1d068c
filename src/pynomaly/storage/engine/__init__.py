"""The column store behind the signals: a contract, and one file for each implementation."""
