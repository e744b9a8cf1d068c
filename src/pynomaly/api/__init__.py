"""Everything machines speak, on port 8090: one module for each protocol."""
