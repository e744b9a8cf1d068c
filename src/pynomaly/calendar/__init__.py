"""What people do to systems, and when: deployments, maintenance windows, holidays."""
