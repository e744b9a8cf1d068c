"""Microsoft Teams by the connectors of Office 365."""
