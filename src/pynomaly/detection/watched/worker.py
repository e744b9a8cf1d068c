"""How a worker process begins; imports no NumPy, since it says how that begins."""

import multiprocessing
import os
import signal
import threading


def begin() -> None:
    """Leave the processors to the server, and end with it.

    Low priority, one thread for linear algebra; Ctrl-C is the server's to heed.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    os.nice(10)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="end with parent", daemon=True).start()


def _end_with_parent() -> None:
    """A server that is killed cannot stop its workers."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
