"""How a worker process begins; imports nothing, so that it comes before NumPy."""

import os


def begin() -> None:
    """Leave the processors to the server: low priority, and one thread for linear algebra."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    os.nice(10)
