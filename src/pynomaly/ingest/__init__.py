"""Bytes in, batches out: one module for each protocol."""
