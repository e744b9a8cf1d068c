"""Which alerts are told together, and when."""
