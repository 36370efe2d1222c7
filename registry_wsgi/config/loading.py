"""From a source to the configuration: read, overridden by the environment, checked, and put into its dataclasses."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from registry_wsgi.config import document, environment
from registry_wsgi.config.checks import check
from registry_wsgi.config.content import read_schema1, read_validation
from registry_wsgi.config.findings import Findings
from registry_wsgi.config.health import read_health
from registry_wsgi.config.http import ADDRESS, read_http
from registry_wsgi.config.log import read_log
from registry_wsgi.config.model import Configuration
from registry_wsgi.config.notifications import read_notifications
from registry_wsgi.config.responses import read_responses
from registry_wsgi.config.stack import read_auth, read_layers
from registry_wsgi.config.storage import read_storage

Source = str | os.PathLike[str] | Mapping[str, Any]

# Without any configuration: a registry for oneself.
_ALONE: Final[dict[str, Any]] = {
    "version": "0.1",
    "storage": {"filesystem": {"rootdirectory": "./data"}, "cache": {"blobdescriptor": "inmemory"}},
    "http": {"addr": ADDRESS},
}


def load(source: Source | None = None, environ: Mapping[str, str] | None = None) -> Configuration:
    """Return the configuration of a file, of a mapping like a parsed one, or of the environment alone.

    None means the file that REGISTRY_CONFIGURATION_PATH names or, without one, a filesystem under
    `./data` on 127.0.0.1:5000. REGISTRY_* variables, of os.environ unless `environ` is given,
    override a file; a mapping is overridden only where `environ` is given, and needs no `version`.
    Raises ConfigurationError, whose text is one line that names the key and what is allowed.
    """
    findings = Findings()
    configuration = _configuration(check(_document(source, environ, findings), findings), findings)
    findings.raise_first()
    return configuration


def examine(
    source: Source | None = None, environ: Mapping[str, str] | None = None
) -> tuple[Configuration | None, Findings]:
    """Return every problem of what `load` would be given, and what is left of it: a key with a problem is absent.

    The configuration is None where nothing can be read at all.
    """
    findings = Findings()
    with findings.noted():
        checked = check(_document(source, environ, findings), findings)
        return _configuration(checked, findings), findings
    return None, findings


def _document(source: Source | None, environ: Mapping[str, str] | None, findings: Findings) -> object:
    """Return what is in the source, with what the environment says over it."""
    variables: Mapping[str, str] = os.environ if environ is None else environ
    if source is None:
        source = variables.get(environment.CONFIGURATION_PATH) or _ALONE
    elif isinstance(source, Mapping):
        source = {"version": "0.1", **source}
        variables = environ or {}
    content = document.plain(source) if isinstance(source, Mapping) else document.read(source)
    if isinstance(content, dict):
        environment.override(content, variables, findings)
    return {} if content is None else content


def _configuration(checked: dict[str, Any], findings: Findings) -> Configuration:
    log = read_log(checked["log"], checked["loglevel"], findings)
    storage = read_storage(checked, findings)
    maxentries = checked["catalog"]["maxentries"]
    return Configuration(
        version=checked["version"],
        log=log,
        storage=storage,
        http=read_http(checked["http"], findings),
        auth=read_auth(checked["auth"], findings),
        middleware=read_layers(checked["middleware"]["http"], "middleware.http"),
        catalog_maxentries=maxentries if maxentries > 0 else 1000,
        tags_maxtags=checked["tags"]["maxtags"] or 1000,
        validation=read_validation(checked["validation"]),
        notifications=read_notifications(checked["notifications"], findings),
        responses=read_responses(checked["cache"]["responses"]),
        links_ttl=checked["cache"]["links"]["ttl"],
        schema1=read_schema1(checked["compatibility"]["schema1"], findings),
        health=read_health(checked["health"]),
        warnings=tuple(findings.warnings),
    )
