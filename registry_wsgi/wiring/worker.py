"""Which server runs this process, where that decides when to begin with what is done beside requests."""

from __future__ import annotations

import logging
import signal
import sys

_logger = logging.getLogger("registry_wsgi")

_TELLING = frozenset({"lazy-apps", "lazy", "py-call-osafterfork"})
"""Options of uWSGI by which each worker loads the application, or Python is told of the fork."""


def is_worker() -> bool:
    """Tell whether this process is known to serve, and not to fork others that do.

    So it is in a worker of gunicorn, whose methods handle its signals before it loads the application, and not in the
    process that loads it with --preload; and under waitress-serve.
    """
    handler = signal.getsignal(signal.SIGTERM)
    owner = type(getattr(handler, "__self__", None))
    of_gunicorn = any(each.__module__ == "gunicorn.workers.base" for each in owner.__mro__)
    return of_gunicorn or "waitress.runner" in sys.modules


def warn_of_untold_forks() -> None:
    """Warn where uWSGI is going to fork this process into workers and to tell Python nothing of it."""
    uwsgi = sys.modules.get("uwsgi")
    if getattr(uwsgi, "numproc", 1) > 1 and not _TELLING & getattr(uwsgi, "opt", {}).keys():
        _logger.warning(
            "uWSGI forks its workers without telling Python, so that what goes on beside requests, such as checks of "
            "health and metrics shared by workers, is not begun in them: set lazy-apps or py-call-osafterfork"
        )
