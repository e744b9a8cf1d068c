"""What every part speaks of: label sets, samples, alerts, the clock, errors. No I/O."""
