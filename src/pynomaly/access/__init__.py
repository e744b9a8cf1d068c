"""Who may do what: principals, one policy for every route and socket, and the audit log."""
