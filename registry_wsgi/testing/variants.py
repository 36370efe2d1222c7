"""Registries with users, tokens, rules and TLS: the sections of the configuration, and the files that they name."""

from __future__ import annotations

import ssl
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from registry_wsgi.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_LEAST_COST = 4


def auth_section(
    directory: Path, users: Mapping[str, str], *, token: bool, rules: Sequence[Mapping[str, Any]] | None
) -> dict[str, Any]:
    """Return the section `auth` for `users`, passwords by name: by Basic or by `token`, all or what `rules` allow.

    Raises ConfigurationError where a package is missing.
    """
    try:
        import bcrypt  # noqa: PLC0415 - an extra, and no need of a registry for everyone
    except ImportError as error:
        raise _missing("users", "bcrypt") from error
    file = directory / "htpasswd"
    hashes = {name: bcrypt.hashpw(word.encode(), bcrypt.gensalt(_LEAST_COST)) for name, word in users.items()}
    file.write_text("".join(f"{name}:{hashed.decode()}\n" for name, hashed in hashes.items()))
    section: dict[str, Any] = {"htpasswd": {"realm": "registry", "path": str(file)}}
    if rules is not None:
        section = {"policy": {"users": section, "rules": [dict(rule) for rule in rules]}}
    if token:
        if find_spec("joserfc") is None:
            raise _missing("token", "joserfc")
        keys = directory / "keys"
        keys.mkdir()
        section = {"issuer": {"service": "registry", "keys": str(keys), "users": section}}
    return section


def server_context(directory: Path) -> tuple[ssl.SSLContext, Path]:
    """Return the context of a server with a certificate for 127.0.0.1 and localhost, and the file of its authority.

    Raises ConfigurationError where a package is missing.
    """
    try:
        from registry_wsgi.testing.certificates import authority  # noqa: PLC0415 - an extra, as above
    except ImportError as error:
        raise _missing("tls", "cryptography") from error
    trusted = authority(directory, "ca")
    pair = trusted.issue("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    return context, trusted.certificate


def _missing(option: str, package: str) -> ConfigurationError:
    return ConfigurationError(
        f"{option}: needs the package {package}, which is not installed; install registry-wsgi[pytest]"
    )
