"""A service that finds anomalous readings of machines: small, real, and instrumented.

It is what ``pynomaly demo`` monitors, and a pattern for an instrumented service of one's own: see
``README.md`` beside this file.
"""
