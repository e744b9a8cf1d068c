"""Who may do what, and the audit log of what was done."""
