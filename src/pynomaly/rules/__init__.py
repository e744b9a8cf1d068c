"""Recording and alerting rules and their state machine."""
