"""The SDK that applications import; the server instruments itself with it.

Stands alone: imports nothing else of the product, and only light libraries.
"""

from pynomaly.observability.registry import REGISTRY

__all__ = ["REGISTRY"]
