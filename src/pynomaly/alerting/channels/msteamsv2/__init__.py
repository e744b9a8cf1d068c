"""Microsoft Teams by a flow of Power Automate."""
