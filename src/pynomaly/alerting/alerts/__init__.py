"""The alerts that were received, from whomever, until everybody was told of their end."""
