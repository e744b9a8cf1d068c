"""What the product costs and how fast it is, beside its peers on the same input, in one run."""
