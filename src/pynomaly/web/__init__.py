"""Everything people see, on port 8080."""
