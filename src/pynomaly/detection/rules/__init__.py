"""What a person wants told of anomalies: rules by matchers, live."""
