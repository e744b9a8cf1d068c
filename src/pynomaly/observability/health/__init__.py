"""Health: named checks, answered as liveness and readiness, and as metrics."""
