"""From the alerts of a group to notifications: one stage a file."""
