"""Pynomaly: a whole monitoring stack with judgement in one process."""

__version__ = "0.1.0"
