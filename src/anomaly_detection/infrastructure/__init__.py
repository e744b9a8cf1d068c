"""Import paths of the anomaly detection platform's guide."""
