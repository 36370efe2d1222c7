"""gunicorn's side of a registry: `gunicorn --config gunicorn.conf.py`.

What is set here can be overridden on the command line, or by GUNICORN_CMD_ARGS.
"""

import os

wsgi_app = "registry_wsgi:create_app()"  # reads the file that REGISTRY_CONFIGURATION_PATH names

bind = "127.0.0.1:5000"  # not used under registry.socket, where systemd listens; `http.addr` never is

# Processes for the processor's work, threads for what waits: an upload or a download holds one while it lasts,
# however slow the client. An idle connection holds none.
workers = int(os.environ.get("WEB_CONCURRENCY") or min(os.cpu_count() or 1, 8))
worker_class = "gthread"
threads = 32
worker_connections = 1000
keepalive = 75  # more than a proxy in front keeps its side open, so that the proxy is never the one surprised

# With gthread this is how long a worker may be stuck as a whole. A long upload is not cut off by it.
timeout = 60
# How long uploads may still run after SIGTERM or SIGHUP. TimeoutStopSec in registry.service has to be longer.
graceful_timeout = 600
# Where a worker says that it lives must not wait for a disk that is busy with uploads.
worker_tmp_dir = "/dev/shm"

# A bearer token that names many repositories is longer than the default of 8190.
limit_request_field_size = 65536
limit_request_line = 8190

# It would be one path for all gunicorns of a user.
control_socket_disable = True

# The registry writes its access log to stdout and its other lines to stderr.
errorlog = "-"
loglevel = "warning"
