"""Rules that allow only so many alerts in a stretch of time."""
