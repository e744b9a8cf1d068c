"""The detector of every series: one pass, bounded state, and all series of a tick at once."""
