"""How each kind of server is configured and started: access logs off, everything else as shipped."""

from __future__ import annotations

import base64
import getpass
import json
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bcrypt
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from . import sink, tools
from .content import REPOSITORY
from .pages import make_trees

if TYPE_CHECKING:
    from collections.abc import Callable

GUNICORN = Path(sys.executable).with_name("gunicorn")

LOGS = {"level": "info", "accesslog": {"disabled": False}}

NGINX = """\
daemon off; user {user}; pid {directory}/pid; error_log stderr; worker_processes 1;
events {{ }}
http {{
    access_log off; sendfile on; keepalive_requests 1000000000; default_type application/octet-stream;
    client_body_temp_path {directory}; proxy_temp_path {directory}; fastcgi_temp_path {directory};
    uwsgi_temp_path {directory}; scgi_temp_path {directory};
    server {{
        listen 127.0.0.1:{port};
        location = /v2/ {{ return 200; }}
        location ~ ^/v2/[a-z/]+/blobs/sha256:(..)(.*)$ {{ alias {root}/docker/registry/v2/blobs/sha256/$1/$1$2/data; }}
    }}
}}
"""


@dataclass(frozen=True)
class Place:
    """Where a server may put its files and listen. `shared` is the storage that most have in common."""

    directory: Path
    shared: Path
    memory: Path
    port: int


@dataclass(frozen=True)
class Launch:
    """A command that starts a server, its storage, the headers that requests to it need, and where its events wait."""

    command: list[str]
    root: Path
    headers: dict[str, str] = field(default_factory=dict)
    outbox: Path | None = None


def ours(place: Place, **sections: object) -> Launch:
    """Return `registry-wsgi serve`."""
    return Launch([sys.executable, "-m", "registry_wsgi", "serve", configure(place, **sections)], place.shared)


def gunicorn(place: Place) -> Launch:
    """Return ours on gunicorn's gthread, one worker with the threads of examples/gunicorn."""
    options = ["-k", "gthread", "--threads=32", "--keep-alive=75", "--worker-connections=1000"]
    options += ["--worker-tmp-dir=/dev/shm", "--no-control-socket", "--log-level=warning"]
    environment = f"REGISTRY_CONFIGURATION_PATH={configure(place)}"
    bind = f"--bind=127.0.0.1:{place.port}"
    command = ["env", environment, str(GUNICORN), *options, bind, "registry_wsgi:create_app()"]
    return Launch(command, place.shared)


def docker_registry(place: Place) -> Launch:
    """Return Debian's docker-registry, which reads the same file."""
    return Launch(["docker-registry", "serve", configure(place)], place.shared)


def nginx(place: Place) -> Launch:
    """Return nginx serving the blobs of the shared storage by sendfile: the limit of what a download can be."""
    file = place.directory / "nginx.conf"
    file.write_text(NGINX.format(user=getpass.getuser(), directory=place.directory, port=place.port, root=place.shared))
    return Launch([tools.find("nginx") or "nginx", "-p", str(place.directory), "-c", str(file)], place.shared)


def htpasswd(place: Place) -> Launch:
    """Return ours with one user, whose password is remembered after its first use."""
    users, headers = user(place)
    return with_headers(ours(place, auth=users), headers)


def policy(place: Place) -> Launch:
    """Return ours with the same user and a few rules."""
    users, headers = user(place)
    rules = [{"allow": "pull", "who": "anonymous", "repositories": f"public{number}/**"} for number in range(10)]
    rules.append({"allow": "*", "who": "authenticated", "repositories": "**"})
    return with_headers(ours(place, auth={"policy": {"users": users, "rules": rules}}), headers)


def token(place: Place) -> Launch:
    """Return ours with the keys of a token server, and a token of it."""
    key = ECKey.generate_key("P-256", {"kid": "bench", "alg": "ES256", "use": "sig"})
    keys = place.directory / "jwks.json"
    keys.write_text(json.dumps(KeySet([key]).as_dict(private=False)))
    access = [{"type": "repository", "name": REPOSITORY, "actions": ["pull", "push"]}]
    claims = {"iss": "bench", "aud": "bench", "sub": "someone", "exp": int(time.time()) + 86400, "access": access}
    text = jwt.encode({"alg": "ES256", "kid": "bench"}, claims, key)
    section = {"token": {"realm": "https://bench", "service": "bench", "issuer": "bench", "jwks": str(keys)}}
    return with_headers(ours(place, auth=section), {"Authorization": f"Bearer {text}"})


def user(place: Place) -> tuple[dict[str, Any], dict[str, str]]:
    """Return a section `htpasswd` with one user, and the header that is this user's."""
    file = place.directory / "htpasswd"
    file.write_bytes(b"someone:" + bcrypt.hashpw(b"password", bcrypt.gensalt(10)) + b"\n")
    credentials = base64.b64encode(b"someone:password").decode()
    return {"htpasswd": {"realm": "bench", "path": str(file)}}, {"Authorization": f"Basic {credentials}"}


def with_headers(launch: Launch, headers: dict[str, str]) -> Launch:
    """Return the launch with the headers that its access control asks for."""
    return replace(launch, headers=headers)


def logging(place: Place) -> Launch:
    """Return ours with its access log and a line for each request."""
    return ours(place, log=LOGS)


def measuring(place: Place) -> Launch:
    """Return ours with metrics."""
    return ours(place, http=metrics(place))


def notifying(place: Place) -> Launch:
    """Return ours with an endpoint that gets an event of each pull."""
    return with_events(place)


def observed(place: Place) -> Launch:
    """Return ours with logs, metrics and events at once."""
    return with_events(place, log=LOGS, http=metrics(place))


def with_events(place: Place, **sections: object) -> Launch:
    """Return ours with an endpoint."""
    outbox = place.directory / "outbox"
    endpoints = [{"name": "bench", "url": sink.start(), "timeout": "30s"}]
    notifications = {"endpoints": endpoints, "outbox": {"path": str(outbox)}}
    return replace(ours(place, notifications=notifications, **sections), outbox=outbox)


def metrics(place: Place) -> dict[str, object]:
    """Return a section `http` with metrics."""
    return {"addr": f"127.0.0.1:{place.port}", "debug": {"prometheus": {"enabled": True, "mainport": True}}}


def in_memory(launcher: Callable[[Place], Launch]) -> Callable[[Place], Launch]:
    """Return a launcher over a storage of its own, on a file system in memory."""

    def launch(place: Place) -> Launch:
        root = place.memory / place.directory.name
        return launcher(Place(place.directory, root, place.memory, place.port))

    return launch


def large(size: int) -> Callable[[Place], Launch]:
    """Return a launcher of ours over so many repositories, of which the one that `pages` names has as many tags."""

    def launch(place: Place) -> Launch:
        root = place.memory / f"{size}"
        make_trees(root, size)
        return ours(Place(place.directory, root, place.memory, place.port))

    return launch


KINDS: dict[str, Callable[[Place], Launch]] = {
    "registry-wsgi": ours,
    "gunicorn": gunicorn,
    "docker-registry": docker_registry,
    "nginx": nginx,
    "htpasswd": htpasswd,
    "token": token,
    "policy": policy,
    "logs": logging,
    "metrics": measuring,
    "notifications": notifying,
    "observed": observed,
    "registry-wsgi on tmpfs": in_memory(ours),
    "docker-registry on tmpfs": in_memory(docker_registry),
    "1,000 names": large(1_000),
    "100,000 names": large(100_000),
}


def configure(place: Place, **sections: object) -> str:
    """Write the configuration file and return its path. It is JSON, which is YAML too."""
    document = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(place.shared)},
            "cache": {"blobdescriptor": "inmemory"},
            "delete": {"enabled": True},
        },
        "http": {"addr": f"127.0.0.1:{place.port}"},
        **sections,
    }
    file = place.directory / "config.yml"
    file.write_text(json.dumps(document, indent=2))
    return str(file)
