"""The text formats in which targets expose samples: bytes in, samples out. No I/O."""
