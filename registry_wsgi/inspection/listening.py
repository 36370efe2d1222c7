"""Whether a server can listen as configured: asked before one starts, so that the answer is one line."""

from __future__ import annotations

import socket
import ssl
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from registry_wsgi.errors import ConfigurationError, why

if TYPE_CHECKING:
    from registry_wsgi.config import HTTP, TLS


def check(http: HTTP) -> str:
    """Return the IP address to listen on, or the path of the socket.

    Removes the file of a socket on which nobody listens any more: a server that was killed left it. Raises
    ConfigurationError where nothing can listen at the address, or not with these certificates.
    """
    if http.tls:
        check_tls(http.tls)
    check_debug(http)
    address = check_address(http)
    if http.net == "unix":
        Path(address).unlink(missing_ok=True)  # what is there, if anything, is a socket of nobody's
    return address


def check_address(http: HTTP) -> str:
    """Do what `check` does, certificates apart, and leave what is there as it is."""
    if http.net == "unix":
        _check_socket(Path(http.addr))
        return http.addr
    return _free_address(http.interface, http.port)


def check_debug(http: HTTP) -> None:
    """Raises ConfigurationError where the debug server cannot listen."""
    if http.debug.addr:
        _free_address(http.debug.interface, http.debug.port, key="http.debug.addr")


def check_tls(tls: TLS) -> None:
    """Raises ConfigurationError where the files cannot be used."""
    for key, path in (("certificate", tls.certificate), ("key", tls.key), ("clientcas", tls.clientca)):
        _check_readable(f"http.tls.{key}", path)
    for key, path in (("certificate", tls.certificate), ("clientcas", tls.clientca)):
        if path and not _has_certificates(path):
            raise ConfigurationError(f"http.tls.{key}: {path!r} has no certificate; allowed: a PEM file")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.certificate, tls.key, password=_no_password)
    except ssl.SSLError as error:
        other = error.reason in {"KEY_VALUES_MISMATCH", "NO_CERTIFICATE_ASSIGNED"}
        reason = "is not the key of the certificate" if other else "has no private key"
        raise ConfigurationError(
            f"http.tls.key: {tls.key!r} {reason}"
            "; allowed: a PEM file with the key of http.tls.certificate, not encrypted"
        ) from None


def _no_password() -> str:
    # Without this the library would ask the terminal.
    raise ConfigurationError("http.tls.key: the key is encrypted; allowed: a PEM file with a key that is not")


def _check_readable(key: str, path: str) -> None:
    try:
        if path:
            Path(path).open("rb").close()
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{key}: cannot read {path!r}: {why(error)}") from None


def _has_certificates(path: str) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_verify_locations(path)
    except ssl.SSLError:
        return False
    return bool(context.cert_store_stats()["x509"])


def _free_address(host: str, port: int, *, key: str = "http.addr") -> str:
    """Return the first address of the host, of IPv4 if it has one, where nobody listens yet."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = min(found, key=lambda info: info[0] != socket.AF_INET)
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError) as error:  # the latter for a name that is too long for any host
        raise ConfigurationError(f"{key}: cannot listen on {host}:{port}: {why(error)}") from None
    return str(address[0])


def _check_socket(path: Path) -> None:
    try:
        if not _is_stale(path):
            with socket.socket(socket.AF_UNIX) as probe:
                probe.bind(str(path))
            path.unlink()
    except OSError as error:  # a path that is too long has no errno
        raise ConfigurationError(f"http.addr: cannot listen on {path}: {why(error)}") from None


def _is_stale(path: Path) -> bool:
    """Tell whether there is a socket on which nobody listens; what is no socket is left for the bind to fail on."""
    if not (path.exists() and stat.S_ISSOCK(path.stat().st_mode)):
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return True
    return False
