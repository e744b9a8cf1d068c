"""Amazon's SNS."""
