"""Where things are kept: the signal engine, the samples in it, the records, the bus, the scheduler."""
