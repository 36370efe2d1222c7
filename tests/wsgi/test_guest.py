"""A registry that is mounted is a guest: nothing of the process it comes into is another afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import asyncio, atexit, decimal, gc, json, locale, logging, os, random, signal, socket, sys, threading, warnings

logging.basicConfig(level=logging.WARNING)
logging.getLogger("the.host").setLevel(logging.INFO)
# What the registry brings along has a state of its own.
import multiprocessing.util, werkzeug, flask, yaml, cachetools, click

def state():
    loggers = {"": logging.getLogger()} | {
        name: found for name, found in logging.root.manager.loggerDict.items() if isinstance(found, logging.Logger)
    }
    return {
        "loggers": {
            name: [each.level, [repr(handler) for handler in each.handlers], each.propagate, each.disabled]
            for name, each in loggers.items()
            if [each.level, each.handlers, each.propagate, each.disabled] != [0, [], True, False]
        },
        "logging.disable": logging.root.manager.disable,
        "log record factory": repr(logging.getLogRecordFactory()),
        "logger class": repr(logging.getLoggerClass()),
        "signals": {str(each): repr(signal.getsignal(each)) for each in signal.valid_signals()},
        "signal mask": sorted(map(str, signal.pthread_sigmask(signal.SIG_BLOCK, []))),
        "hooks": [repr(each) for each in (sys.excepthook, threading.excepthook, sys.unraisablehook, sys.displayhook)],
        "warnings": [repr(each) for each in warnings.filters],
        "environment": dict(os.environ),
        "directory": os.getcwd(),
        "umask": (lambda mask: (os.umask(mask), mask)[1])(os.umask(0o77)),
        "socket timeout": socket.getdefaulttimeout(),
        "locale": locale.setlocale(locale.LC_ALL),
        "gc": [gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()],
        "switch interval": sys.getswitchinterval(),
        "recursion": sys.getrecursionlimit(),
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "path": sys.path,
        "random": hash(random.getstate()),
        "at exit": atexit._ncallbacks(),
        "builtins": sorted(dir(__builtins__)),
        "event loop policy": repr(type(asyncio.get_event_loop_policy())),
        "decimal": repr(decimal.getcontext()),
    }

before = state()
import registry_wsgi
application = registry_wsgi.mount(lambda environ, start_response: [], json.loads(sys.argv[1]), open_access=True)
after = state()
print(json.dumps({key: [before[key], after[key]] for key in before if before[key] != after[key]}))

from werkzeug.test import create_environ
environ = create_environ("/v2/")
started = []
application(environ, lambda *arguments: started.append(arguments))
assert started[0][0].startswith("200"), started
answered = state()
print(json.dumps({key: [after[key], answered[key]] for key in after if after[key] != answered[key]}))
"""


@pytest.mark.parametrize("sections", [{}, {"log": {"level": "debug", "formatter": "json"}}], ids=["plain", "logs"])
def test_mounting_and_answering_change_nothing_of_the_process(tmp_path: Path, sections: dict[str, object]) -> None:
    storage = {"filesystem": {"rootdirectory": str(tmp_path)}, "cache": {"blobdescriptor": "inmemory"}}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps({"storage": storage, **sections})],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert [json.loads(line) for line in run.stdout.splitlines()] == [{}, {}]
    assert run.stderr == ""
