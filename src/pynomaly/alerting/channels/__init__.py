"""Ways to tell a receiver; each is one file."""
