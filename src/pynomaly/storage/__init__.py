"""Where things are kept: signal engine, samples, records; and the bus and the scheduler."""
