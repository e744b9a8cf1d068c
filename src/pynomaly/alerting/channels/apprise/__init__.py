"""Whatever Apprise speaks."""
