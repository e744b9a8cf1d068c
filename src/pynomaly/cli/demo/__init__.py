"""``pynomaly demo``: the product beside a service that breaks, for a newcomer who looks on."""
