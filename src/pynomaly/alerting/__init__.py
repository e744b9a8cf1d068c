"""From a firing alert to a notification."""
