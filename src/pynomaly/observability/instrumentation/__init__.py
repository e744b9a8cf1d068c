"""``instrument(app)``: metrics, traces and access logs of frameworks."""
