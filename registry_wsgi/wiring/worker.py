"""Which server runs this process, where that decides when to begin with what is done beside requests."""

from __future__ import annotations

import signal
import sys


def is_worker() -> bool:
    """Tell whether this process is known to serve, and not to fork others that do.

    So it is in a worker of gunicorn, whose methods handle its signals before it loads the application, and not in the
    process that loads it with --preload; and under waitress-serve.
    """
    handler = signal.getsignal(signal.SIGTERM)
    owner = type(getattr(handler, "__self__", None))
    of_gunicorn = any(each.__module__ == "gunicorn.workers.base" for each in owner.__mro__)
    return of_gunicorn or "waitress.runner" in sys.modules
