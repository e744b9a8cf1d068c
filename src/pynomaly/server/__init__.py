"""The one place that builds every part in dependency order and undoes it in reverse."""
