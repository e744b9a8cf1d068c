"""Less noise: what holds repetitions back, and which rules tell in vain."""
