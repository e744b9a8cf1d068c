"""What rules would have done: stored history through the state machine of alerts."""
