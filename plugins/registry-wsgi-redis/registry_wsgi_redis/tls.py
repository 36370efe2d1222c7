"""The section `redis.tls` as redis-py wants it."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry_wsgi.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping


def tls_options(tls: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a client is made with; nothing where no key is given. The server's certificate is verified.

    Raises ConfigurationError for a PEM file that cannot be used.
    """
    if not any(tls.values()):
        return {}
    certificate, key, authorities = (tls.get(name) or None for name in ("certificate", "key", "rootcas"))
    if key and not certificate:
        raise ConfigurationError("tls.key is given without tls.certificate")
    # Connections load these when they are made. What is wrong with them should be known at start-up.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusted = "\n".join(_authority(context, path) for path in authorities or ())
    if certificate:
        try:
            context.load_cert_chain(certificate, key)
        except OSError as error:
            raise ConfigurationError(f"tls.certificate and tls.key: {certificate} cannot be used: {error}") from error
    return {"ssl": True, "ssl_certfile": certificate, "ssl_keyfile": key, "ssl_ca_data": trusted or None}


def _authority(context: ssl.SSLContext, path: str) -> str:
    try:
        text = Path(path).read_text()
        context.load_verify_locations(cadata=text)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"tls.rootcas: {path} cannot be used: {error}") from error
    return text
