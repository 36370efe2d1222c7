"""The section `http`: where the registry listens, and what clients see of that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from registry_wsgi.config.model import HTTP, TLS, Debug, LoginLimit
from registry_wsgi.errors import ConfigurationError

if TYPE_CHECKING:
    from registry_wsgi.config.findings import Findings

ADDRESS: Final = "127.0.0.1:5000"


def read_http(section: dict[str, Any], findings: Findings) -> HTTP:
    net, addr = section["net"], section["addr"]
    if addr.startswith("/") != (net == "unix"):
        allowed = "the path of a socket" if net == "unix" else "a host and port such as 127.0.0.1:5000"
        findings.add(ConfigurationError(f"http.addr: must be {allowed} where http.net is {net}"))
        net, addr = "tcp", ADDRESS
    return HTTP(
        net=net,
        addr=addr,
        prefix=section["prefix"],
        host=section["host"],
        relativeurls=section["relativeurls"],
        headers=section["headers"],
        draintimeout=section["draintimeout"],
        tls=_tls(section["tls"], findings),
        trust_proxy_headers=section["trustproxyheaders"],
        loginlimit=_loginlimit(section["loginlimit"], findings),
        debug=_debug(section["debug"], findings),
    )


def _loginlimit(section: dict[str, Any], findings: Findings) -> LoginLimit:
    if not section["window"]:
        findings.add(ConfigurationError("http.loginlimit.window: must be more than 0; for no limit let attempts be 0"))
    return LoginLimit(section["attempts"], section["window"], section["file"])


def _debug(section: dict[str, Any], findings: Findings) -> Debug:
    addr, prometheus = section["addr"], section["prometheus"]
    mainport = prometheus["enabled"] and prometheus["mainport"]
    if prometheus["mainport"] and not prometheus["enabled"]:
        findings.warnings.append("http.debug.prometheus.mainport has an effect only with http.debug.prometheus.enabled")
    elif prometheus["enabled"] and not (addr or mainport):
        findings.warnings.append(
            "http.debug.prometheus has an effect only with http.debug.addr or http.debug.prometheus.mainport"
        )
    return Debug(addr, prometheus["path"] if prometheus["enabled"] else "", mainport)


def _tls(section: dict[str, Any], findings: Findings) -> TLS | None:
    certificate, key, authorities = section["certificate"], section["key"], section["clientcas"]
    if bool(certificate) != bool(key):
        missing = "key" if certificate else "certificate"
        findings.add(
            ConfigurationError(f"http.tls.{missing}: required, but not given; allowed: the path of a PEM file")
        )
    if authorities and not certificate:
        findings.add(ConfigurationError("http.tls.clientcas: needs http.tls.certificate and http.tls.key"))
    if len(authorities) > 1:
        findings.add(ConfigurationError("http.tls.clientcas: only one file is allowed; put all certificates into it"))
    return TLS(certificate, key, "".join(authorities), section["minimumtls"]) if certificate and key else None
