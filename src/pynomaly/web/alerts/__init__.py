"""The pages of alerts: what fires, silences, why somebody was told, routing, deliveries."""
