"""Metrics of an application: checked names, guarded labels, exemplars, ready families."""
