"""Import of history: text of any length in, read in blocks of whole lines."""
