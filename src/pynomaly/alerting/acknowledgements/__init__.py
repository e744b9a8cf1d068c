"""Who has taken an alert on."""
