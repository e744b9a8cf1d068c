"""Finds what is wrong with rules although they parse, and proves it by the user's own series."""
