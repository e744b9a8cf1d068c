"""Findings of what does not come: series that stop, samples that are lost, traffic that ends."""
