"""Keys that registry:2 knows and we do not support: a warning, or an error where neglect would do harm."""

from __future__ import annotations

from typing import Any

import pytest

from registry_wsgi.config import load
from registry_wsgi.config.schema import KEYS, State
from registry_wsgi.errors import ConfigurationError


def with_section(path: str, value: object) -> dict[str, Any]:
    document: dict[str, Any] = {"storage": {"inmemory": {}}}
    section: Any = document
    *sections, last = path.split(".")
    for name in sections:
        section = section.setdefault(name, {})
    section[last.removesuffix("[]")] = [value] if last.endswith("[]") else value
    return document


@pytest.mark.parametrize("path", [key.path for key in KEYS if key.state is State.UNSUPPORTED])
def test_an_unsupported_key_that_asks_for_something_is_one_warning_that_names_it(path: str) -> None:
    parts = [key.path.removeprefix(path + ".") for key in KEYS if key.path.startswith(path + ".")]
    value: object = {parts[0]: "something", parts[-1].split(".")[0].removesuffix("[]"): ["x"]} if parts else "something"
    if parts and "." in parts[-1]:
        value = {parts[0]: "something"}
    config = load(with_section(path, value))
    assert config.warnings == (f"{path.replace('[]', '[0]')} is not supported yet and has no effect",)


@pytest.mark.parametrize("path", [key.path for key in KEYS if key.state in (State.UNSUPPORTED, State.REFUSED)])
@pytest.mark.parametrize("value", [None, {}])
def test_an_empty_section_asks_for_nothing(path: str, value: object) -> None:
    assert load(with_section(path, value)).warnings == ()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("log.hooks[]", {"type": "mail", "disabled": True, "levels": ["panic"]}),
        ("log.reportcaller", False),
        ("storage.redirect", {"disable": True}),
        ("storage.tag", {"concurrencylimit": 0}),
        ("middleware.storage[]", {"name": "cloudfront", "disabled": True, "options": {"baseurl": "x"}}),
        ("http.debug", {"addr": "", "prometheus": {"enabled": False, "path": ""}}),
        ("http.http2", {"disabled": False}),
        ("http.h2c", {"enabled": False}),
        ("health.storagedriver", {"enabled": False, "interval": "10s", "threshold": 3}),
        ("compatibility.schema1", {"enabled": False}),
        ("validation", {"disabled": False}),
        ("validation.manifests.indexes", {"platforms": "all"}),
        ("proxy.remoteurl", ""),
        ("policy", {"repository": {"classes": []}}),
        ("http.tls.clientcas", []),
        ("http.tls.minimumtls", "tls1.2"),
        ("http.tls.letsencrypt", {"email": "", "hosts": []}),
        ("validation.manifests.urls", {"allow": [], "deny": None}),
    ],
)
def test_what_asks_for_what_is_done_anyway_is_no_warning(path: str, value: object) -> None:
    assert load(with_section(path, value)).warnings == ()


@pytest.mark.parametrize(
    ("path", "value", "warned"),
    [
        ("http.http2", {"disabled": True}, "http.http2"),
        ("redis.pool.maxidle", 16, "redis.pool.maxidle"),
        ("storage.tag.concurrencylimit", 8, "storage.tag"),
        ("middleware.registry[]", {"name": "a"}, "middleware.registry[0]"),
        ("proxy.exec.command", "helper", "proxy.exec"),
    ],
)
def test_the_warning_names_the_key_as_the_file_has_it(path: str, value: object, warned: str) -> None:
    assert load(with_section(path, value)).warnings == (f"{warned} is not supported yet and has no effect",)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("proxy.remoteurl", "https://registry.example.com", "proxy.remoteurl: serving another registry's content is"),
        ("http.tls.clientauth", "verify-client-cert-if-given", "http.tls.clientauth: asking clients for certificates"),
        ("http.tls.ciphersuites", ["TLS_X"], "http.tls.ciphersuites: a choice of cipher suites is not available yet"),
        ("http.tls.letsencrypt.email", "a@b.example", "http.tls.letsencrypt: fetching certificates from Let's Encrypt"),
        ("policy.repository.classes", ["image"], "policy: limiting the classes of repositories is not available yet"),
    ],
)
def test_a_key_whose_neglect_would_do_harm_is_refused(path: str, value: object, message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load(with_section(path, value))
    assert message in str(raised.value)
