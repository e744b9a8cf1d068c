"""Peer groups: series of one metric that differ in which pod or host they are of, and no more."""
