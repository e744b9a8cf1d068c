"""Import paths of the anomaly detection platform's guide; the code is in ``pynomaly``."""
