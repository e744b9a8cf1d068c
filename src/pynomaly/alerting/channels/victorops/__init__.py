"""VictorOps, today Splunk On-Call."""
